"""`ping8 status`."""

from typing import Annotated

import typer

from ops.cli.options import Json, OneHost, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(status)


def status(
    stack: Stack = None,
    host: OneHost = None,
    every_metric: Annotated[bool, typer.Option("--all", help="Show every metric.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh continuously.")] = False,
    every: Annotated[
        int, typer.Option(min=1, max=86400, metavar="SECONDS", help="Refresh interval.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Shows traffic, queues and problems; status 1 if a host does not answer."""
    from ops import status as work

    work.status(
        chosen(stack),
        host=host,
        every_metric=every_metric,
        watch=watch,
        every=every,
        as_json=as_json,
    )
