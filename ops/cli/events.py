"""`ping8 events`."""

from typing import Annotated

import typer

from ops.cli.options import Json, Stack, Yes, chosen

Logs = Annotated[
    bool, typer.Option("--logs", help="The local logs (every event) instead of the dead letters.")
]
First = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME", help="Events from then: 2026-12-01T10:00Z, or 2h ago: 2h."
    ),
]
Last = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Events until then.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="Record types, such as Bounce.")
]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="NAME", help="Domains of recipient or sender."),
]
Ids = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="ID", help="Event ids (X-PING8-Event-Id), or how they begin."),
]
Recipients = Annotated[
    list[str] | None, typer.Option("--recipient", metavar="ADDRESS", help="Recipients.")
]


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Lists events and sends them to PING8 again.")
    group.command("list")(list_events)
    group.command("replay")(replay)
    group.command("reconcile")(reconcile)
    app.add_typer(group, name="events")


def list_events(
    stack: Stack = None,
    logs: Logs = False,
    first: First = None,
    last: Last = None,
    types: Types = None,
    domains: Domains = None,
    recipients: Recipients = None,
    ids: Ids = None,
    limit: Annotated[int, typer.Option(metavar="NUMBER", help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """Events that PING8 refused or that grew too old; with --logs, all events. One line each."""
    from ops import events as work

    choice = work.Choice(
        logs=logs,
        first=first,
        last=last,
        types=types or (),
        domains=domains or (),
        recipients=recipients or (),
        ids=ids or (),
    )
    work.list_events(chosen(stack), choice, limit=limit, as_json=as_json)


def replay(
    stack: Stack = None,
    logs: Logs = False,
    first: First = None,
    last: Last = None,
    types: Types = None,
    domains: Domains = None,
    recipients: Recipients = None,
    ids: Ids = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Sends events to PING8 again, which knows by their ids those that it has.

    A dead letter that PING8 takes leaves the store. From the local logs, say from when.
    """
    from ops import events as work

    choice = work.Choice(
        logs=logs,
        first=first,
        last=last,
        types=types or (),
        domains=domains or (),
        recipients=recipients or (),
        ids=ids or (),
    )
    work.replay(chosen(stack), choice, yes=yes, as_json=as_json)


def reconcile(
    stack: Stack = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Messages received since then; a week without it."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compares receptions, final events and queues; lists messages without a known fate.

    Such a message was delivered or bounced and its event was lost, as in a crash. It runs by itself
    after an unclean stop of kumod. It may take seven minutes: until the open log segment ends.
    """
    from ops import events as work

    work.reconcile(chosen(stack), first, as_json=as_json)
