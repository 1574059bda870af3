"""Runs other programs: always with a time limit, never through a shell."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hostagent.errors import AgentError

_LAST_LINES = 12


@dataclass(frozen=True)
class Result:
    """What a program answered."""

    code: int
    output: str

    @property
    def good(self) -> bool:
        """Exit status 0."""
        return self.code == 0

    def tail(self, lines: int = _LAST_LINES) -> str:
        """The end of its output, on one line."""
        return " | ".join(
            line.strip() for line in self.output.splitlines()[-lines:] if line.strip()
        )


class Commands:
    """Starts programs on this host.

    Programs inherit `keep_open`, the lock: a program that outlives a killed agent (a package
    installation, say) keeps it locked, so that the next push waits.
    """

    def __init__(self) -> None:
        self.keep_open: tuple[int, ...] = ()

    def run(
        self,
        arguments: Sequence[str],
        *,
        limit: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Standard output and error together; a program over its limit is an AgentError."""
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
                pass_fds=self.keep_open,
                start_new_session=True,
            )
        except OSError as error:
            return Result(127, f"{arguments[0]}: {error.strerror}")
        try:
            output, _ = process.communicate(stdin, timeout=limit)
        except subprocess.TimeoutExpired:
            raise AgentError(
                f"`{' '.join(arguments[:4])}` took longer than {limit:.0f} s",
                "find out why on the host, then push again",
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Result(process.returncode, output.decode("utf-8", "replace"))

    def must(
        self,
        arguments: Sequence[str],
        *,
        limit: float,
        fix: str,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Its output; a failure is an AgentError with the end of the output."""
        result = self.run(arguments, limit=limit, environment=environment)
        if not result.good:
            raise AgentError(
                f"`{' '.join(arguments)}` failed with {result.code}: {result.tail()}", fix
            )
        return result.output
