"""`ping8 inbox`."""

from typing import Annotated

import typer

from ops.cli.options import Json, OneHost, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(inbox)


def inbox(
    stack: Stack = None,
    show: Annotated[
        str | None, typer.Option(metavar="ID", help="Show the message with this id.")
    ] = None,
    host: OneHost = None,
    as_json: Json = False,
) -> None:
    """Lists the mail that the MTA hosts keep for people, or shows one message."""
    from ops import inbox as work

    work.inbox(chosen(stack), host=host, show=show, as_json=as_json)
