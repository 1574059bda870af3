"""The output of a push: progress on standard error, one line of JSON on standard output.

Everything passes through one filter that knows the secrets of the releases.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from hostagent.errors import AgentError
from hostagent.text import printable
from hostagent.web import WebError

MASK = "[secret]"
_SHORTEST = 6
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)=(.+?)\s*$", re.MULTILINE)
_PUBLIC = re.compile(r"\w*_(HOST|PORT|IP|HELO)")
"""Variables whose values are needed for diagnosis."""
_TOKEN = re.compile(r"[A-Za-z0-9+/_=~.-]{20,}")
_KEY_LINE = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_NAME = re.compile(r"[A-Z0-9_]+|[a-z_./-]+")


def secret_words(text: str) -> set[str]:
    """What to mask of a secret file: values of assignments, and long opaque words."""
    words = {
        value.strip("\"'")
        for name, value in _ASSIGNMENT.findall(text)
        if not _PUBLIC.fullmatch(name)
    }
    words |= {word for word in _TOKEN.findall(text) if not _NAME.fullmatch(word)}
    return {word for word in words if len(word) >= _SHORTEST}


def answer(make: Callable[[], Mapping[str, Any]]) -> int:
    """Print what a verb found as one line of JSON; an error is one line, with status 1."""
    try:
        found = make()
    except (AgentError, WebError) as error:
        print(f"ping8: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found), flush=True)
    return 0


class Reporter:
    """Progress, timings and warnings of one run."""

    def __init__(self, progress: TextIO | None = None, output: TextIO | None = None) -> None:
        self._progress = progress or sys.stderr
        self._output = output or sys.stdout
        self._started = self._last = time.monotonic()
        self._secrets: list[str] = []
        self._key_lines: set[str] = set()
        self.timings: dict[str, float] = {}
        self.warnings: list[str] = []

    def hide(self, contents: Iterable[bytes]) -> None:
        """Mask the contents of these secret files in all further output."""
        words = set(self._secrets)
        for content in contents:
            text = content.decode("utf-8", "replace")
            if "PRIVATE KEY-----" in text:
                # There are thousands of lines of DKIM keys: look them up instead of searching.
                self._key_lines.update(_KEY_LINE.findall(text))
            else:
                words |= secret_words(text)
        self._secrets = sorted(words, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for word in self._secrets:
            text = text.replace(word, MASK)
        text = printable(text)
        return _KEY_LINE.sub(self._mask, text) if self._key_lines else text

    def _mask(self, match: re.Match[str]) -> str:
        return MASK if match[0] in self._key_lines else match[0]

    def say(self, text: str) -> None:
        """One line of progress. A closed connection is no reason to stop halfway."""
        elapsed = time.monotonic() - self._started
        with contextlib.suppress(OSError, ValueError):
            print(f"ping8 {elapsed:6.1f} s  {self.clean(text)}", file=self._progress, flush=True)

    def warn(self, text: str) -> None:
        """A warning for the operator; the push continues."""
        self.warnings.append(self.clean(text))
        self.say(f"warning: {text}")

    def fail(self, text: str) -> None:
        """The last line of a run that failed."""
        with contextlib.suppress(OSError, ValueError):
            print(f"ping8: {self.clean(text)}", file=self._progress, flush=True)

    def lap(self, step: str) -> None:
        """Record how long the step that ends here took."""
        now = time.monotonic()
        self.timings[step] = round(self.timings.get(step, 0.0) + now - self._last, 3)
        self._last = now

    def write(self, data: Mapping[str, Any]) -> None:
        """The result, as one line of JSON."""
        with contextlib.suppress(OSError, ValueError):
            text = json.dumps(self._clean_deep(data), sort_keys=True)
            print(text, file=self._output, flush=True)

    def _clean_deep(self, data: Any) -> Any:
        if isinstance(data, str):
            return self.clean(data)
        if isinstance(data, Mapping):
            return {key: self._clean_deep(value) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self._clean_deep(item) for item in data]
        return data
