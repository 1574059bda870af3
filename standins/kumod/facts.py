"""What kumod finds on its host: time, environment, files, names, and where its output goes."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from standins.kumod.durations import Throttles
from standins.kumod.errors import KumoError
from standins.kumod.http_client import (
    FunctionTransport,
    HttpFailure,
    HttpRequest,
    HttpResponse,
    HttpTransport,
)
from standins.kumod.resolver import FakeResolver, Resolver


class Clock(Protocol):
    """What the engine asks of a clock."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""


class SystemClock:
    """The host's clock."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class FakeClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: float = 1_770_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += max(0.0, seconds)

    def set(self, moment: float) -> None:
        """Move to a moment that is not in the past."""
        self._now = max(self._now, moment)


POLICY = "/opt/kumomta/etc/policy"
SHARE = "/opt/kumomta/share"
_LUA_PATH = "/usr/local/share/lua/5.4/?.lua;./?.lua;./?/init.lua"
OWN_SHARE = Path(__file__).parent / "share"


class HostPaths:
    """Maps a path of the host to the path of this machine."""

    def __init__(
        self, *, root: Path | None = None, mounts: Mapping[str, Path] | None = None
    ) -> None:
        self._root = root
        self._mounts = dict(mounts or {})
        if root is not None and SHARE not in self._mounts and not self._within_root(SHARE).exists():
            self._mounts[SHARE] = OWN_SHARE

    def _within_root(self, path: str) -> Path:
        return Path(f"{self._root}{path}")

    def real(self, path: str | os.PathLike[str]) -> Path:
        """Where a path of the host lies."""
        text = os.fspath(path)
        for mount, target in sorted(self._mounts.items(), key=lambda item: -len(item[0])):
            if text == mount or text.startswith(f"{mount}/"):
                return Path(f"{target}{text[len(mount) :]}")
        if self._root is None or not text.startswith("/") or text.startswith(f"{self._root}/"):
            return Path(text)
        return self._within_root(text)

    def package_path(self) -> str:
        """Lua's search path: what KumoMTA ships, and only then the policy."""
        folders = [self.real(SHARE), self.real(POLICY)]
        own = [f"{folder}/{pattern}" for folder in folders for pattern in ("?.lua", "?/init.lua")]
        return ";".join([*own, _LUA_PATH])


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
    throttles: Throttles = field(default_factory=Throttles)
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
