"""Asking Pulumi's engine about a stack, and running it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops.local import SANDBOX, local_stack
from policy.errors import UserError

_SECONDS = 60


def ask(stack: str, *words: str, folder: Path | None = None) -> Any:
    """The JSON that `pulumi stack WORDS` prints; a `UserError` has Pulumi's own reason."""
    try:
        with _started(stack, "stack", *words, folder=folder, out=subprocess.PIPE) as process:
            try:
                printed, said = process.communicate(timeout=_SECONDS)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise UserError(f"stack {stack!r}: {_reason(process.returncode, said)}")
        return json.loads(printed)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"stack {stack!r}: Pulumi did not answer in {_SECONDS} s") from error
    except (ValueError, RecursionError):
        raise UserError(f"stack {stack!r}: `pulumi stack {words[0]}` printed no JSON") from None


def run(stack: str, *words: str, quiet: bool = False) -> bool:
    """Whether `pulumi preview` or `up` succeeded. It prints to standard error, unless `quiet`.

    Ctrl-C reaches Pulumi too, which is waited for: killed, it would leave its lock behind, and a
    state without what it had just changed.
    """
    out = subprocess.DEVNULL if quiet else sys.stderr
    with _started(stack, *words, runs_program=True, out=out) as process:
        try:
            return process.wait() == 0
        except KeyboardInterrupt:
            process.wait()
            raise


def _started(
    stack: str, *words: str, folder: Path | None = None, runs_program: bool = False, out: Any
) -> "subprocess.Popen[str]":
    local = local_stack(stack)
    if local is None and stack == SANDBOX:
        raise UserError("stack sandbox: no sandbox is up here; `make sandbox` brings one up")
    command = [local.pulumi] if local else ["pulumi"]
    if local and runs_program:
        command = list(local.updates)
    try:
        return subprocess.Popen(
            [*command, *words, "--stack", stack, "--non-interactive"],
            cwd=local.project if local else folder or _checkout(),
            env={**os.environ, **local.environment} if local else None,
            stdout=out,
            stderr=out,
            text=True,
        )
    except FileNotFoundError as error:
        raise UserError(f"{command[0]}: not on PATH; install the Pulumi CLI") from error
    except OSError as error:
        raise UserError(f"{command[0]}: cannot run: {error.strerror}") from error


def up_command(stack: str) -> str:
    """The command that brings a stack up."""
    return "make sandbox" if stack == SANDBOX else f"pulumi up -s {stack}"


def _reason(status: int, said: str) -> str:
    if status < 0:
        return f"Pulumi was ended by signal {-status}"
    lines = said.strip().splitlines()
    if not lines:
        return f"Pulumi ended with status {status} and printed nothing"
    reason = lines[-1].removeprefix("error: ")
    return f"{reason}; see `pulumi stack ls`" if reason.startswith("no stack named") else reason


def _checkout() -> Path:
    """The folder of `Pulumi.yaml`: the current one, or this program's."""
    here = Path.cwd()
    return here if (here / "Pulumi.yaml").exists() else Path(__file__).resolve().parents[1]
