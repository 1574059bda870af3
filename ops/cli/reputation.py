"""`ping8 reputation`."""

from typing import Annotated

import typer

from ops.cli.options import Json, Stack, Yes, chosen


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Refusals for reputation.")
    group.command("list")(list_refusals)
    group.command("acknowledge")(acknowledge)
    app.add_typer(group, name="reputation")


def list_refusals(stack: Stack = None, as_json: Json = False) -> None:
    """Who refuses which source, in whose words, and what to do; status 1 until acknowledged."""
    from ops import reputation as work

    work.show(chosen(stack), as_json=as_json)


def acknowledge(
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="As `list` shows it.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What is done about it; it is recorded.")
    ],
    stack: Stack = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", help="One source; all of them unless named."),
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="No alarm so long, at most 7d.")
    ] = "1d",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ends the alarm: you know of it and work on it. Who and why is recorded on the host."""
    from ops import reputation as work

    work.acknowledge(
        chosen(stack), provider, source, reason=reason, for_=duration, yes=yes, as_json=as_json
    )
