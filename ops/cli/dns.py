"""`ping8 dns`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import Json, Resolvers, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(dns)


def dns(
    stack: Stack = None,
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", metavar="NAME", help="Sender domain; default: all."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check which are published; status 1 unless all are.")
    ] = False,
    zone_file: Annotated[bool, typer.Option("--zone-file", help="Print BIND's format.")] = False,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write an HTML page for the owner."),
    ] = None,
    resolver: Resolvers = None,
    as_json: Json = False,
) -> None:
    """Lists records that owners of domains with DNS elsewhere must publish; needs no deployment."""
    from ops import dns as work

    work.dns(
        chosen(stack),
        domains=domain or (),
        check=check,
        zone_file=zone_file,
        page=page,
        resolvers=resolver or (),
        as_json=as_json,
    )
