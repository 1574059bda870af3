"""`ping8 drain`."""

from typing import Annotated

import typer

from ops.cli.options import Json, Stack, Yes, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(drain)


def drain(
    node: Annotated[str, typer.Argument(metavar="NODE", help="The MTA host.")],
    stack: Stack = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="The reason; it is recorded.")
    ] = "",
    back: Annotated[bool, typer.Option("--back", help="Take the drain back.")] = False,
    last_node: Annotated[
        bool,
        typer.Option("--last-node", help="Drain it even if no other MTA host can take injections."),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Takes an MTA host out of service without losing mail: it refuses new injections, and the
    other MTA hosts take its queued mail and events. Ctrl-C stops watching, not the drain.
    """
    from ops import drain as work

    if back:
        work.take_back(chosen(stack), node, reason=reason, yes=yes, as_json=as_json)
        return
    work.drain(chosen(stack), node, reason=reason, last_node=last_node, yes=yes, as_json=as_json)
