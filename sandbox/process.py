"""Run programs to completion, or in the background with a process id file."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from policy.errors import UserError

_TAIL = 1500


class SandboxError(UserError):
    """Something that the sandbox cannot do, with its reason and the fix, if there is one."""


def run(
    command: Sequence[str], *, stdin: str | None = None, check: bool = True, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output; an error has the program's name and message.

    The message holds the first three words only: arguments may be secret. A wrapper that ends with
    `--`, such as `nsenter`, is left out.
    """
    own = command[command.index("--") + 1 :] if "--" in command else command
    shown = " ".join(own[:3])
    try:
        done = subprocess.run(
            list(command),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise SandboxError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"{shown}: still running after {timeout:.0f} s") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-_TAIL:]
        raise SandboxError(f"{shown}: exit {done.returncode}: {said}")
    return done


def wait_until(
    condition: Callable[[], bool], what: str, *, seconds: float, every: float = 0.05
) -> None:
    """Poll until the condition holds; `what` completes "gave up waiting for ..."."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SandboxError(f"gave up waiting for {what} after {seconds:.0f} s")
        time.sleep(every)


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A background process that outlives the command that starts it."""

    name: str
    folder: Path
    command: tuple[str, ...] = ()

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def pid(self) -> int | None:
        """The process id while it runs.

        The start time guards against a number that another process has taken since.
        """
        try:
            number, started = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(number) if _start_time(int(number)) == started else None

    def start(self, answers: Callable[[], bool] = lambda: True, *, seconds: float = 120) -> None:
        """Start it unless it runs; returns once it answers, fails with its log if it dies."""
        if self.pid() is None:
            self._start()

        def ready() -> bool:
            if self.pid() is None:
                said = self.log.read_text(errors="replace")[-_TAIL:].strip()
                raise SandboxError(f"{self.name} exited; end of {self.log}: {said}")
            return answers()

        wait_until(ready, f"the {self.name} server", seconds=seconds)

    def stop(self, *, patience: float = 5) -> None:
        """Terminate it, and kill it if it does not exit."""
        for which in (signal.SIGTERM, signal.SIGKILL):
            if number := self.pid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, which)
                with contextlib.suppress(SandboxError):
                    wait_until(lambda: self.pid() is None, self.name, seconds=patience)
        self._pid_file.unlink(missing_ok=True)

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        self._pid_file.write_text(f"{process.pid} {_start_time(process.pid)}\n")


def _start_time(number: int) -> str | None:
    """Start time of a process that is not a zombie, in clock ticks since boot."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
