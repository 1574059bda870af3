"""`ping8 domains`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import Group, Json, Resolvers, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(
        cls=Group, no_args_is_help=True, help="Asks DNS which sender domains are ready."
    )
    group.callback()(lambda: None)
    group.command("check")(check)
    app.add_typer(group, name="domains")


def check(
    stack: Stack = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also ask for domains that published everything.")
    ] = False,
    pages: Annotated[
        Path | None,
        typer.Option("--pages", metavar="DIR", help="Write a page for each domain's owner."),
    ] = None,
    resolver: Resolvers = None,
    as_json: Json = False,
) -> None:
    """Asks DNS for all pending domains and keeps the answers beside the stack file.

    `pulumi up` decides by them which domains may send (`whenUnpublished`). Status 1 if mail of a
    domain needs a record that DNS does not have. After Ctrl-C the next run continues.
    """
    from ops import domains as work

    work.check(chosen(stack), every=every, pages=pages, resolvers=resolver or (), as_json=as_json)
