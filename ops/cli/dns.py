"""`ping8 dns`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import Json, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(dns)


def dns(
    stack: Stack = None,
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", metavar="NAME", help="Sender domain; all unless named."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say which are published; status 1 unless all are.")
    ] = False,
    zone_file: Annotated[bool, typer.Option("--zone-file", help="Print BIND's format.")] = False,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page for the owner.")
    ] = None,
    resolver: Annotated[
        list[str] | None,
        typer.Option(
            "--resolver", metavar="ADDRESS", help="DNS server; the system's unless named."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Records for domains whose DNS is elsewhere, from the settings alone, before any `up`."""
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
