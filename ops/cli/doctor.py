"""`ping8 doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import Json, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(doctor)


def doctor(
    stack: Stack = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="Run only this check or group: domain.spf, egress."),
    ] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Check only this sender domain."),
    ] = None,
    as_json: Json = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one self-contained HTML page.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running, and print what changes.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Also list what passed.")] = False,
    launch: Annotated[
        bool, typer.Option("--before-launch", help="Print the checklist for a new environment.")
    ] = False,
    test_event: Annotated[
        bool, typer.Option("--test-event", help="Send PING8 a marked test event.")
    ] = False,
    exchanger: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Mail exchanger, or domain with MX, to dial."),
    ] = None,
    block_list: Annotated[
        list[str] | None,
        typer.Option(metavar="ZONE", help="DNS block list to query; check its terms of use."),
    ] = None,
    resolver: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="DNS server, ADDRESS[:PORT]; default: the system's."),
    ] = None,
    authoritative: Annotated[
        bool, typer.Option("--authoritative", help="Also compare all authoritative name servers.")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Additional CA certificates to trust, in PEM."),
    ] = None,
    timeout: Annotated[
        int, typer.Option(metavar="SECONDS", help="Time limit for all checks.", min=1, max=3600)
    ] = 60,
) -> None:
    """Checks a live deployment. Status: 0 ok, 1 warnings, 2 failures, 3 could not check."""
    from ops.doctor import command as work

    work.doctor(
        chosen(stack),
        work.Wishes(
            only=only or (),
            domains=domain or (),
            as_json=as_json,
            html=html,
            watch=watch,
            every=every,
            launch=launch,
            test_event=test_event,
            exchanger=exchanger,
            block_lists=block_list or (),
            resolvers=resolver or (),
            authoritative=authoritative,
            ca_file=ca_file,
            timeout=timeout,
        ),
    )
