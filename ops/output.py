"""How commands print and ask: wrapped on a terminal, whole lines elsewhere."""

import datetime
import getpass
import os
import sys

import typer
from rich.console import Console

from policy.errors import UserError

_UNBOUNDED = 10_000


class _Console(Console):
    """A closed pipe is not a failure, but rich would exit with status 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """For standard output. Lines are not wrapped in a pipe, so that `grep` and pasting work."""
    return _Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED)


def confirm(what: str, *, yes: bool) -> None:
    """Says what will happen and continues only after a yes."""
    typer.echo(what, err=True)
    if yes:
        return
    try:
        agreed = typer.confirm("Do it?", err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise UserError("nothing was changed; answer yes, or use --yes")


def operator() -> str:
    """The operator's name to record; a container's user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def clock(seconds: float) -> str:
    """The hour of a time today, or else date and hour, in UTC."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    today = moment.date() == datetime.datetime.now(datetime.UTC).date()
    return f"{moment:%H:%M}" if today else f"{moment:%F %H:%M}"


def duration(seconds: float) -> str:
    """In the unit that a person would choose."""
    if abs(seconds) < 120:
        return f"{seconds:.3f} s" if 0 < abs(seconds) < 1 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if abs(seconds) < 7200 else f"{seconds / 3600:.1f} h"
