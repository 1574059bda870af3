"""`ping8 find`."""

from typing import Annotated

import typer

from ops.cli.options import Json, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(find)


def find(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ID|RECIPIENT", help="KumoMTA's id, X-PING8-Message-Id, or an address."
        ),
    ],
    stack: Stack = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Search only since this time: 2h, 2026-12-01T10:00Z."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Shows where a message is and what happened to it; status 1 if nothing is known about it."""
    from ops import find as work

    work.find(chosen(stack), what, first=first, as_json=as_json)
