"""`ping8 queue`."""

from enum import StrEnum
from typing import Annotated

import typer

from ops.cli.options import Group, Json, Stack, Yes, chosen

Domain = Annotated[
    str | None,
    typer.Option("--domain", metavar="NAME", help="Recipients' domain, as in the queue's name."),
]
Brand = Annotated[str | None, typer.Option("--brand", metavar="NAME", help="Brand.")]
Campaign = Annotated[str | None, typer.Option("--campaign", metavar="ID", help="Campaign.")]
Provider = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="Provider, as shown by `list --by provider`."),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="The reason; it is recorded.")
]
Duration = Annotated[str, typer.Option("--for", metavar="TIME", help="How long, at most 7d.")]


class By(StrEnum):
    """What `list` can group by."""

    queue = "queue"
    provider = "provider"
    domain = "domain"
    brand = "brand"
    campaign = "campaign"
    source = "source"
    host = "host"


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(
        cls=Group, no_args_is_help=True, help="Lists, suspends, resumes and bounces queued mail."
    )
    group.command("list")(list_queues)
    group.command("suspend")(suspend)
    group.command("resume")(resume)
    group.command("bounce")(bounce)
    app.add_typer(group, name="queue")


def list_queues(
    stack: Stack = None,
    domain: Domain = None,
    brand: Brand = None,
    campaign: Campaign = None,
    provider: Provider = None,
    by: Annotated[By, typer.Option("--by", help="Group by this.")] = By.queue,
    as_json: Json = False,
) -> None:
    """Lists queues by size: messages, age of the oldest, the last answer, suspended or not.

    Ages are of the oldest message in a sample of the fullest queues. The last answer is from the
    logs, up to a minute late.
    """
    from ops import queue as work

    criteria = work.Criteria(domain=domain, brand=brand, campaign=campaign, provider=provider)
    work.show(chosen(stack), criteria, by=by.value, as_json=as_json)


def suspend(
    reason: Reason,
    stack: Stack = None,
    domain: Domain = None,
    brand: Brand = None,
    campaign: Campaign = None,
    provider: Provider = None,
    duration: Duration = "1h",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Suspends delivery for a time. Messages stay queued; attempts that become due are delayed."""
    _act("suspend", stack, (domain, brand, campaign, provider), reason, duration, yes, as_json)


def bounce(
    reason: Reason,
    stack: Stack = None,
    domain: Domain = None,
    brand: Brand = None,
    campaign: Campaign = None,
    provider: Provider = None,
    duration: Duration = "5m",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bounces messages permanently; PING8 gets an event for each."""
    _act("bounce", stack, (domain, brand, campaign, provider), reason, duration, yes, as_json)


def resume(
    which: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    stack: Stack = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ends a suspension, or a bounce that still applies to new mail."""
    from ops import queue as work

    work.resume(chosen(stack), which, reason=reason, yes=yes, as_json=as_json)


def _act(
    kind: str,
    stack: str | None,
    criteria: tuple[str | None, ...],
    reason: str,
    duration: str,
    yes: bool,
    as_json: bool,
) -> None:
    from ops import queue as work

    domain, brand, campaign, provider = criteria
    work.act(
        chosen(stack),
        kind,
        work.Criteria(domain=domain, brand=brand, campaign=campaign, provider=provider),
        reason=reason,
        for_=duration,
        yes=yes,
        as_json=as_json,
    )
