"""`ping8 send`."""

from typing import Annotated

import typer

from ops.cli.options import Json, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(send)


def send(
    sender: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="An address of a sender domain.")
    ],
    recipient: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="The recipient, for example yourself.")
    ],
    stack: Stack = None,
    seconds: Annotated[
        int,
        typer.Option("--wait", metavar="SECONDS", min=1, max=86400, help="How long to follow it."),
    ] = 120,
    as_json: Json = False,
) -> None:
    """Sends one real message and follows it; status 1 if it was not delivered in time."""
    from ops import send as work

    work.send(chosen(stack), sender=sender, recipient=recipient, seconds=seconds, as_json=as_json)
