"""`ping8 render`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(render)


def render(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="A new folder, or one of ours."),
    ] = None,
    stack: Stack = None,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff",
            help="Show what differs from what the folder had before; without --out, from the "
            "release that is live on each host.",
        ),
    ] = False,
) -> None:
    """Write every host's files, with example addresses and throw-away keys and tokens."""
    if out is None and not diff:
        raise typer.BadParameter(
            "name a folder, or compare with the hosts by --diff.", param_hint="--out"
        )
    from ops import render as work

    work.render(chosen(stack), out, diff=diff)
