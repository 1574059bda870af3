"""What kumod finds on its host: time, environment, files, names, and where its output goes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from standins.kumod.clock import Clock, FakeClock
from standins.kumod.errors import KumoError
from standins.kumod.http_client import (
    FunctionTransport,
    HttpFailure,
    HttpRequest,
    HttpResponse,
    HttpTransport,
)
from standins.kumod.paths import HostPaths
from standins.kumod.resolver import FakeResolver, Resolver


def _no_peer(_request: HttpRequest) -> HttpResponse:
    raise HttpFailure("no peer: give Kumod(http=...)")


def _no_transport() -> HttpTransport:
    return FunctionTransport(_no_peer)


@dataclass(kw_only=True)
class KumodFacts:
    """One kumod's host. ``threaded`` is a real server: it prints, and remembers nothing."""

    clock: Clock = field(default_factory=FakeClock)
    env: dict[str, str] = field(default_factory=dict)
    paths: HostPaths = field(default_factory=HostPaths)
    resolver: Resolver = field(default_factory=FakeResolver)
    new_http_transport: Callable[[], HttpTransport] = _no_transport
    counters: Counter[str] = field(default_factory=Counter)
    epoch: int = 0
    jitter: bool = False
    count_instructions: bool = False
    threaded: bool = False
    validating: bool = False
    stopping: bool = False
    printed: list[str] = field(default_factory=list)
    diagnostics: list[tuple[str, str]] = field(default_factory=list)
    http_requests: list[HttpRequest] = field(default_factory=list)

    def now(self) -> float:
        return self.clock.now()

    def diagnose(self, level: str, text: str) -> None:
        """A line of kumod's diagnostic log."""
        if not self.threaded:
            self.diagnostics.append((level, text))
        else:
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            print(f"{moment} {level} {text}", file=sys.stderr, flush=True)  # noqa: T201 - the log

    def print_line(self, text: str) -> None:
        self.printed.append(text)
        if self.threaded:
            print(text, flush=True)  # noqa: T201 - Lua's print

    def note_http(self, request: HttpRequest) -> None:
        self.counters["http.request"] += 1
        if not self.threaded:
            self.http_requests.append(request)

    def read_text(self, path: str) -> str:
        self.counters["fs.read"] += 1
        try:
            return self.paths.real(path).read_text(encoding="utf-8")
        except OSError as error:
            raise KumoError(
                f"reading file {path}: {error.strerror} (os error {error.errno})"
            ) from None

    def load_key_source(self, source: Any) -> bytes:
        """The bytes of a key: of a file, or given literally."""
        if isinstance(source, dict) and "key_data" in source:
            return str(source["key_data"]).encode()
        if not isinstance(source, str):
            raise KumoError("this kind of KeySource is not in this stand-in for kumod")
        try:
            return self.paths.real(source).read_bytes()
        except OSError as error:
            raise KumoError(
                f'File("{source}"): KeySource failed to load data from file `{source}`: '
                f"{error.strerror} (os error {error.errno})"
            ) from None
