"""The `ping8` command."""

import importlib
import sys

import typer

from policy.errors import UserError

COMMANDS = {
    "doctor": "ops.doctor.command",
    "render": "ops.render",
    "events": "ops.events",
    "drift": "ops.drift",
    "rollback": "ops.rollback",
    "status": "ops.status",
    "sandbox": "sandbox.cli",
}
"""Each command's module, which is imported only when it is asked for: some take seconds."""


def build(names: list[str]) -> typer.Typer:
    """The application with the named commands."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(ping8)
    for name in names:
        importlib.import_module(COMMANDS[name]).register(app)
    return app


def ping8() -> None:
    """Operates PING8's e-mail platform; `--stack` names the environment."""


def run() -> None:
    """Entry point: a user's mistake is one line on standard error and status 2."""
    asked = sys.argv[1:2]
    try:
        build(asked if asked and asked[0] in COMMANDS else list(COMMANDS))()
    except UserError as error:
        print(f"ping8: {error}", file=sys.stderr)  # noqa: T201 - the command's own voice
        sys.exit(2)
