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
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="A new folder, or one written by this command."
        ),
    ] = None,
    stack: Stack = None,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff",
            help="Show the differences from the folder's contents; without --out, from the live "
            "release of each host.",
        ),
    ] = False,
) -> None:
    """Writes every host's files, with example addresses and throw-away keys and tokens."""
    if out is None and not diff:
        raise typer.BadParameter(
            "set a folder, or use --diff to compare with the hosts.", param_hint="--out"
        )
    from ops import render as work

    work.render(chosen(stack), out, diff=diff)
