"""The `ping8` command."""

import sys

import typer

from ops.doctor import command as doctor
from policy.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Operates PING8's e-mail platform; `--stack` names the environment.",
)
for command in (doctor,):
    command.register(app)


def run() -> None:
    """Entry point: a user's mistake is one line on standard error and status 2."""
    try:
        app()
    except UserError as error:
        print(f"ping8: {error}", file=sys.stderr)  # noqa: T201 - the command's own voice
        sys.exit(2)
