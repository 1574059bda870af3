"""`ping8 drift`."""

import typer

from ops.cli.options import Json, OneHost, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(drift)


def drift(stack: Stack = None, host: OneHost = None, as_json: Json = False) -> None:
    """Lists how hosts differ from their releases (files, modes, owners, units); status 1 if so."""
    from ops import drift as work

    work.drift(chosen(stack), host=host, as_json=as_json)
