"""`ping8 shaping`."""

from typing import Annotated

import typer

from ops.cli.options import Group, Json, Stack, Yes, chosen


def register(app: typer.Typer) -> None:
    """Adds the group of commands; without one it lists."""
    group = typer.Typer(
        cls=Group, help="Shows what Traffic Shaping Automation has suspended or changed."
    )
    group.callback(invoke_without_command=True)(show)
    group.command("lift")(lift)
    app.add_typer(group, name="shaping")


def show(context: typer.Context, stack: Stack = None, as_json: Json = False) -> None:
    """Shows what automation has suspended or changed, with the rule and its end."""
    from ops import shaping as work

    if context.invoked_subcommand is None:
        work.show(chosen(stack), as_json=as_json)


def lift(
    site: Annotated[str, typer.Argument(metavar="SITE", help="As `ping8 shaping` shows it.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="The reason; it is recorded.")
    ],
    stack: Stack = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ends the suspensions of a site before their time."""
    from ops import shaping as work

    work.lift(chosen(stack), site, reason=reason, yes=yes, as_json=as_json)
