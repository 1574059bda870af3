"""`ping8 events`: lists events on the MTA host and sends them to PING8 again."""

import datetime
import re
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.ssh import ssh_json
from ops.stack import read_deployment
from policy.errors import UserError

Stack = Annotated[str, typer.Option(help="The environment.")]
Logs = Annotated[
    bool, typer.Option("--logs", help="The local logs (every event) instead of the dead letters.")
]
First = Annotated[
    str | None, typer.Option("--from", help="Events from then: 2026-12-01T10:00Z, or 2h ago: 2h.")
]
Last = Annotated[str | None, typer.Option("--to", help="Events until then.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Record types, such as Bounce.")]
Domains = Annotated[
    list[str] | None, typer.Option("--domain", help="Domains of recipient or sender.")
]
Ids = Annotated[
    list[str] | None, typer.Option("--id", help="Event ids (X-PING8-Event-Id), or how they begin.")
]

_LIST_SECONDS = 600
_REPLAY_SECONDS = 4 * 3600
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(no_args_is_help=True, help="Lists events and sends them to PING8 again.")
    group.command("list")(list_events)
    group.command("replay")(replay)
    app.add_typer(group, name="events")


def list_events(
    stack: Stack,
    logs: Logs = False,
    first: First = None,
    last: Last = None,
    types: Types = None,
    domains: Domains = None,
    ids: Ids = None,
    limit: Annotated[int, typer.Option(help="How many to show.")] = 100,
) -> None:
    """Events that PING8 refused or that grew too old; with --logs, all events."""
    verb = ["events", "list", *_filters(logs, first, last, types, domains, ids)]
    verb += ["--limit", str(limit)]
    found: Any = ssh_json(read_deployment(stack).mta, verb, limit=_LIST_SECONDS)
    console = Console()
    console.print(_table(found["events"]))
    console.print(f"{found['count']} in the {found['source']}, {len(found['events'])} shown")


def replay(
    stack: Stack,
    logs: Logs = False,
    first: First = None,
    last: Last = None,
    types: Types = None,
    domains: Domains = None,
    ids: Ids = None,
) -> None:
    """Sends events to PING8 again, which knows by their ids those that it has.

    A dead letter that PING8 takes leaves the store. From the local logs, say from when.
    """
    if logs and first is None:
        raise UserError("--logs: without --from every event of the logs would be sent; add --from")
    verb = ["events", "replay", *_filters(logs, first, last, types, domains, ids)]
    done: Any = ssh_json(read_deployment(stack).mta, verb, limit=_REPLAY_SECONDS)
    typer.echo(f"{done['replayed']} events sent")
    if done["failed"]:
        rest = "; stopped there" if done["stopped"] else ""
        typer.echo(f"{done['failed']} not taken: {done['answer']}{rest}", err=True)
        raise typer.Exit(1)


def moment(text: str, now: float) -> int:
    """Unix time of an ISO 8601 time (UTC unless it says) or of a duration ago."""
    ago = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if ago:
        return int(now) - int(ago[1]) * _UNITS[ago[2]]
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r}: write a time such as 2026-12-01T10:00Z, or 2h") from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=datetime.UTC)
    return int(parsed.timestamp())


def _filters(
    logs: bool,
    first: str | None,
    last: str | None,
    types: list[str] | None,
    domains: list[str] | None,
    ids: list[str] | None,
) -> list[str]:
    now = datetime.datetime.now(datetime.UTC).timestamp()
    words = ["--logs"] if logs else []
    for option, time in (("--from", first), ("--to", last)):
        if time is not None:
            words += [option, str(moment(time, now))]
    for option, values in (("--type", types), ("--domain", domains), ("--id", ids)):
        for value in values or ():
            words += [option, value]
    return words


def _table(events: list[dict[str, Any]]) -> Table:
    table = Table("time (UTC)", "type", "recipient", "campaign", "event id", "answer", box=None)
    for event in events:
        time = datetime.datetime.fromtimestamp(event["time"], datetime.UTC)
        recipient = event["recipient"]
        table.add_row(
            f"{time:%Y-%m-%d %H:%M:%S}",
            event["type"],
            escape(recipient if isinstance(recipient, str) else ", ".join(recipient or ())),
            escape(str(event["headers"].get("X-PING8-Campaign-Id", ""))),
            event["event_id"][:12],
            escape(event.get("answer", "")),
        )
    return table
