"""The `ping8` command."""

import contextlib
import importlib
import io
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from policy.errors import UsageError, UserError

COMMANDS = {
    "doctor": ("ops.cli.doctor", "Checks whether mail will arrive, with a fix for each problem."),
    "status": ("ops.cli.status", "Shows traffic, queues and problems."),
    "send": ("ops.cli.send", "Sends one message and follows it to its final event."),
    "queue": ("ops.cli.queue", "Lists, suspends, resumes and bounces queued mail."),
    "drain": ("ops.cli.drain", "Takes an MTA host out of service without losing mail, and back."),
    "upgrade": ("ops.cli.upgrade", "Pushes new releases to one host after the other, drained."),
    "shaping": ("ops.cli.shaping", "Shows and lifts what traffic shaping automation decided."),
    "reputation": ("ops.cli.reputation", "Lists and acknowledges refusals because of reputation."),
    "find": ("ops.cli.find", "Shows where a message is and what happened to it."),
    "events": ("ops.cli.events", "Lists events and sends them to PING8 again."),
    "inbox": ("ops.cli.inbox", "Shows mail to postmaster, abuse and report addresses."),
    "drift": ("ops.cli.drift", "Lists how hosts differ from their releases."),
    "rollback": ("ops.cli.rollback", "Switches a host back to a release that it kept."),
    "rotate": ("ops.cli.rotate", "Rotates DKIM keys and tokens in safe steps."),
    "kumomta": (
        "ops.cli.kumomta",
        "Pins version, key and digests of the KumoMTA that hosts install.",
    ),
    "dns": ("ops.cli.dns", "Lists the records that domain owners must publish, and checks them."),
    "domains": ("ops.cli.domains", "Asks DNS which sender domains are ready to send."),
    "init": ("ops.cli.init", "Asks for the required settings and writes a new stack file."),
    "render": ("ops.cli.render", "Writes every host's files, to read and to validate."),
    "sandbox": ("sandbox.cli", "Runs the platform on this machine, without AWS."),
}
"""Each command's module, which is imported only when needed, and its help."""

USAGE = 64
"""Status for a wrong command line (EX_USAGE of sysexits.h)."""
UNAVAILABLE = 69
"""Status if something that a command needs is wrong or missing (EX_UNAVAILABLE)."""
OURS = 70
"""Status for a bug in this program, with a traceback (EX_SOFTWARE)."""
_INTERRUPTED = 130


class _Commands(TyperGroup):
    """Help from the table; a command's own module is imported only when needed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's form
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands.update(_commands_of(cmd_name))
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - click's form
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _commands_of(name: str) -> dict[str, Any]:
    app = _typer()
    importlib.import_module(COMMANDS[name][0]).register(app)
    app.callback()(lambda: None)
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def _typer(**more: Any) -> typer.Typer:
    return typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **more,
    )


def build() -> typer.Typer:
    """The application with every command."""
    app = _typer(cls=_Commands)
    app.callback()(ping8)
    return app


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"ping8-mail {version('ping8-mail')}")
        raise typer.Exit


def ping8(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Operates PING8's e-mail platform.

    Exit status: 0 ok, 1 a problem was found, 64 wrong command line, 69 something that the command
    needs is wrong or missing, 70 a bug. docs/doctor.md lists those of the doctor.
    """


def run() -> None:
    """Entry point: a problem outside the program is one line on standard error."""
    _lenient()
    sys.exit(_run())


def _lenient() -> None:
    """Closed output, or a character that it cannot show, must not end a command."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _run() -> int:
    try:
        status = build()(args=sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # whoever read it has enough
        return 0
    except Exception as error:
        return _failed(error)
    return status if isinstance(status, int) else 0


def _failed(error: Exception) -> int:
    if isinstance(error, UsageError):
        return _said(str(error), USAGE)
    if isinstance(error, UserError):
        return _said(str(error), UNAVAILABLE)
    if isinstance(error, TyperException):
        return _misused(error)
    if isinstance(error, OSError):
        _drop_output()
        place = f"{error.filename}: " if error.filename else ""
        return _said(f"{place}{error.strerror or error}", UNAVAILABLE)
    traceback.print_exception(error)
    return _said("this is a bug; please report it with the lines above", OURS)


def _misused(error: TyperException) -> int:
    """One line and where to read more; the help itself if a group was called without a command."""
    text = error.format_message()
    if text.startswith("Usage: "):
        print(text, file=sys.stderr)  # noqa: T201 - the command's own voice
        return USAGE
    line = " ".join(text.replace("Value error, ", "").split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "ping8"
    return _said(f"{line}. See `{command} --help`.", USAGE)


def _drop_output() -> None:
    """Python writes what is left when it ends, and would complain once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _said(text: str, status: int) -> int:
    print(f"ping8: {text}", file=sys.stderr)  # noqa: T201 - the command's own voice
    return status
