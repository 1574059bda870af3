"""Run programs: once, to their end, or in the background with a process id file."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.failures import SandboxError

_TAIL = 1500


def run(
    command: Sequence[str],
    *,
    stdin: str | bytes | None = None,
    check: bool = True,
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output; a failure names the program and what it said.

    The message holds the first three words only: arguments may be secret.
    """
    shown = " ".join(_own_words(command)[:3])
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(
            list(command), input=data, capture_output=True, timeout=timeout, check=False
        )
    except FileNotFoundError as error:
        raise SandboxError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"{shown}: no end after {timeout:.0f} s") from error
    result = subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if check and result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip())[-_TAIL:]
        raise SandboxError(f"{shown}: exit {result.returncode}: {said}")
    return result


def _own_words(command: Sequence[str]) -> Sequence[str]:
    """The command without a wrapper such as `nsenter ... --`."""
    return command[command.index("--") + 1 :] if "--" in command else command


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
    """A background process that outlives the command which starts it."""

    name: str
    folder: Path
    command: tuple[str, ...]

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

    def start(self) -> None:
        """Start it unless it runs."""
        if self.pid() is not None:
            return
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

    def stop(self, *, patience: float = 5) -> None:
        """Ask it to end, then end it."""
        number = self.pid()
        if number is not None:
            _signal(number, signal.SIGTERM)
            try:
                wait_until(lambda: self._gone(number), self.name, seconds=patience)
            except SandboxError:
                _signal(number, signal.SIGKILL)
                wait_until(lambda: self._gone(number), self.name, seconds=patience)
        self._pid_file.unlink(missing_ok=True)

    def require_alive(self) -> None:
        """Fail with the end of its log when it died."""
        if self.pid() is None:
            said = self.log.read_text(errors="replace")[-_TAIL:] if self.log.exists() else ""
            raise SandboxError(f"{self.name} ended; {self.log} says: {said.strip()}")

    def _gone(self, number: int) -> bool:
        # Reaps it where this very process started it: a zombie would look alive.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(number, os.WNOHANG)
        return self.pid() is None


def _signal(number: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, which)


def _start_time(number: int) -> str | None:
    """Start time of a process that is not a zombie, in clock ticks since boot."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
