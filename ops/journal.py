"""Answers of a run of `ping8 domains check` that has not ended, so that the next one continues."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from policy.dns import answers
from policy.dns.answers import Answer
from policy.errors import UserError

_SECONDS = 3600
"""Older answers of an interrupted run are kept, but asked again."""


class Journal:
    """A file beside the answers: each is appended when it comes. One run at a time has it."""

    def __init__(self, file: Path) -> None:
        self._path = file.with_name(f"{file.name}.part")
        self.answers: dict[str, Answer] = {}
        """Those of an interrupted run."""
        self._recent = False
        self._file: TextIO

    def __enter__(self) -> Self:
        self._recent = _age(self._path) < _SECONDS
        self._file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError:
            self._file.close()
            raise UserError(
                f"{answers.place_of(self._path)}: another `ping8 domains check` of this stack is "
                "running: wait for it"
            ) from None
        except UserError:
            self._file.close()
            raise
        return self

    def _read(self) -> None:
        """A power cut may have left half a line at the end, which is dropped."""
        self._file.seek(0)
        text = self._file.read()
        whole = text[: text.rfind("\n") + 1]
        os.truncate(self._path, len(whole.encode()))
        for number, line in enumerate(whole.splitlines(), 1):
            answer = answers.parsed(line, f"{answers.place_of(self._path)} line {number}")
            self.answers[answer.domain] = answer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._path.exists() and not self._path.stat().st_size:
            self.remove()

    def has_just_asked(self, domain: str) -> bool:
        """Whether the interrupted run already has an answer for a domain, and a recent one."""
        return self._recent and domain in self.answers

    def add(self, answer: Answer) -> None:
        """Keeps an answer."""
        self._file.write(answers.line_of(answer))
        self._file.flush()

    def remove(self) -> None:
        """The run has ended."""
        self._path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0
