"""`ping8 drift`."""

import typer

from ops.cli.options import Json, OneHost, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(drift)


def drift(stack: Stack = None, host: OneHost = None, as_json: Json = False) -> None:
    """Lists differences of files, modes, owners and units; status 1 where there are any."""
    from ops import drift as work

    work.drift(chosen(stack), host=host, as_json=as_json)
