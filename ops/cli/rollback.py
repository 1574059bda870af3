"""`ping8 rollback`."""

from typing import Annotated

import typer

from ops.cli.options import Json, Stack, Yes, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(rollback)


def rollback(
    stack: Stack = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Release, or how its id begins; the one before unless named."
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="The MTA host unless named.")
    ] = None,
    kept: Annotated[bool, typer.Option("--list", help="Only list the releases kept.")] = False,
    old_credentials: Annotated[
        bool,
        typer.Option(
            "--old-credentials", help="Also if tokens or keys that were replaced since come back."
        ),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Switches a host to a release that it kept, by the same steps as a push."""
    from ops import rollback as work

    work.rollback(
        chosen(stack),
        to=to,
        host=host,
        kept=kept,
        old_credentials=old_credentials,
        yes=yes,
        as_json=as_json,
    )
