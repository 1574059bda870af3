"""`ping8 events`."""

from typing import Annotated

import typer

from ops.cli.options import Group, Json, Stack, Yes, chosen

Logs = Annotated[
    bool,
    typer.Option("--logs", help="Read the local logs (every event) instead of the dead letters."),
]
First = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Only events since this time: 2026-12-01T10:00Z, or 2h for two hours ago.",
    ),
]
Last = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Only events until this time.")
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only this record type, such as Bounce."),
]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="NAME", help="Only this domain of recipient or sender."),
]
Ids = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="ID", help="Event id (X-PING8-Event-Id), or its beginning."),
]
Recipients = Annotated[
    list[str] | None, typer.Option("--recipient", metavar="ADDRESS", help="Recipients.")
]


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(
        cls=Group, no_args_is_help=True, help="Lists events and sends them to PING8 again."
    )
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
    """Lists events that PING8 refused or that expired; with --logs, all events."""
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
    """Sends events to PING8 again. PING8 recognizes events that it already has by their ids.

    A dead letter that PING8 accepts is removed from the store. With --logs, --from is required.
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
            "--from", metavar="TIME", help="Check messages received since then; default: a week."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compares receptions, final events and queues; lists messages with an unknown outcome.

    Such a message was delivered or bounced, but a crash lost its event. The command runs by itself
    after an unclean stop of kumod. It may take seven minutes, until the open log segment ends.
    """
    from ops import events as work

    work.reconcile(chosen(stack), first, as_json=as_json)
