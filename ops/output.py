"""How commands print and ask: on a terminal in its width, elsewhere each line whole."""

import sys

import typer
from rich.console import Console

from policy.errors import UserError

_UNBOUNDED = 10_000


def console() -> Console:
    """For standard output. In a pipe nothing is wrapped: lines are for `grep` and for pasting."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_UNBOUNDED)


def confirm(what: str, *, yes: bool) -> None:
    """Says what will happen and goes on only with a yes."""
    typer.echo(what, err=True)
    if yes:
        return
    try:
        agreed = typer.confirm("Do it?", err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise UserError("nothing was changed; say yes, or give --yes")
