"""Options of several commands, and the default stack."""

import os
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from policy.errors import UserError

_SECONDS = 30

Stack = Annotated[
    str | None,
    typer.Option(
        "--stack",
        "-s",
        metavar="NAME",
        help="The environment; default: PULUMI_STACK, or the selected stack.",
    ),
]
OneHost = Annotated[
    str | None, typer.Option("--host", metavar="NAME", help="Only this host; default: all.")
]
Resolvers = Annotated[
    list[str] | None,
    typer.Option("--resolver", metavar="ADDRESS", help="DNS server; default: the system's."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


_WHOLE = 1000
"""More characters than the first sentence of any help."""


class Group(TyperGroup):
    """A group of commands that lists the whole first sentence of each one's help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - click's form
        """Writes the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, each.get_short_help_str(_WHOLE)) for name, each in self.commands.items()]
            )


def chosen(stack: str | None) -> str:
    """The chosen stack. Raises `UserError` if none is."""
    stack = stack or os.environ.get("PULUMI_STACK") or _selected() or _local()
    if not stack:
        raise UserError("no stack: set --stack, or select one with `pulumi stack select`")
    # Pulumi Cloud's full form is ORGANISATION/PROJECT/STACK; file names have the last part.
    return stack.rpartition("/")[2]


def _local() -> str | None:
    """The sandbox, if one is running here and no stack is selected."""
    from ops.local import SANDBOX, local_stack

    found = local_stack(SANDBOX)
    return found.stack if found else None


def _selected() -> str:
    folder = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            ["pulumi", "stack", "--show-name", "--non-interactive"],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
