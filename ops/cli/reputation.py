"""`ping8 reputation`."""

from typing import Annotated

import typer

from ops.cli.options import Group, Json, Stack, Yes, chosen


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(
        cls=Group,
        no_args_is_help=True,
        help="Lists and acknowledges refusals because of reputation.",
    )
    group.command("list")(list_refusals)
    group.command("acknowledge")(acknowledge)
    app.add_typer(group, name="reputation")


def list_refusals(stack: Stack = None, as_json: Json = False) -> None:
    """Lists who refuses which source, with the answer and the fix; status 1 until acknowledged."""
    from ops import reputation as work

    work.show(chosen(stack), as_json=as_json)


def acknowledge(
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="As `list` shows it.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What you do about it; it is recorded.")
    ],
    stack: Stack = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", help="Only this source; default: all."),
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long the alarm is off, at most 7d.")
    ] = "1d",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ends the alarm while you work on it. Your name and the reason are recorded on the host."""
    from ops import reputation as work

    work.acknowledge(
        chosen(stack), provider, source, reason=reason, for_=duration, yes=yes, as_json=as_json
    )
