"""`ping8 upgrade`."""

import typer

from ops.cli.options import Json, Stack, Yes, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(upgrade)


def upgrade(stack: Stack = None, yes: Yes = False, as_json: Json = False) -> None:
    """Pushes new releases to one host after the other: a new KumoMTA, for example.

    Each MTA host is drained before its push and takes injections again when it is healthy. Stops
    at the first host that is not.
    """
    from ops import upgrade as work

    work.upgrade(chosen(stack), yes=yes, as_json=as_json)
