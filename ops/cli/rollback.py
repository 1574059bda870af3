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
            metavar="ID", help="Release id, or its beginning; default: the previous release."
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="The host; default: the only MTA host.")
    ] = None,
    kept: Annotated[bool, typer.Option("--list", help="Only list the releases kept.")] = False,
    old_credentials: Annotated[
        bool,
        typer.Option(
            "--old-credentials", help="Allow it even if replaced tokens or keys become valid again."
        ),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Switches a host to a release that it kept, with the same steps as a push."""
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
