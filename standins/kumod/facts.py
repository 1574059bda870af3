"""What kumod finds on its host: time, environment, files, names, and where its output goes."""

import os
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standins.kumod.durations import Throttles
from standins.kumod.errors import KumoError
from standins.kumod.http_client import HttpFailure, HttpRequest, HttpResponse, Send
from standins.kumod.resolver import FakeResolver, Resolver

#: A time, and the epoch of the configuration then.
Moment = tuple[float, int]

POLICY = "/opt/kumomta/etc/policy"
SHARE = "/opt/kumomta/share"
_OWN_SHARE = Path(__file__).parent / "share"


class SystemClock:
    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)


class FakeClock:
    """A clock that moves only when a test moves it."""

    def __init__(self, start: float = 1_770_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += max(0.0, seconds)


Clock = SystemClock | FakeClock


class HostPaths:
    """Maps a path of the host to the path of this machine: below `root`, if there is one.

    KumoMTA's share folder is this package's own, unless `root` has one.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._own_share = root is not None and not Path(f"{root}{SHARE}").exists()

    def real(self, path: str | os.PathLike[str]) -> Path:
        text = os.fspath(path)
        if self._own_share and f"{text}/".startswith(f"{SHARE}/"):
            return Path(f"{_OWN_SHARE}{text.removeprefix(SHARE)}")
        if self._root is None or not text.startswith("/") or text.startswith(f"{self._root}/"):
            return Path(text)
        return Path(f"{self._root}{text}")

    def package_path(self) -> str:
        """Lua's search path: what KumoMTA ships, and only then the policy."""
        folders = (self.real(SHARE), self.real(POLICY))
        return ";".join(
            f"{folder}/{name}" for folder in folders for name in ("?.lua", "?/init.lua")
        )


def _no_peer(_request: HttpRequest) -> HttpResponse:
    raise HttpFailure("no peer: give Kumod(http=...)")


@dataclass(kw_only=True)
class KumodFacts:
    """One kumod's host. ``threaded`` is a real server: it prints, and remembers nothing."""

    clock: Clock = field(default_factory=FakeClock)
    env: dict[str, str] = field(default_factory=dict)
    paths: HostPaths = field(default_factory=HostPaths)
    resolver: Resolver = field(default_factory=FakeResolver)
    new_http_client: Callable[[], Send] = lambda: _no_peer
    counters: Counter[str] = field(default_factory=Counter)
    throttles: Throttles = field(default_factory=Throttles)
    node_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    #: Set when there may be something to deliver.
    wakeup: threading.Event = field(default_factory=threading.Event)
    epoch: int = 0
    count_instructions: bool = False
    threaded: bool = False
    validating: bool = False
    stopping: bool = False
    printed: list[str] = field(default_factory=list)
    diagnostics: list[tuple[str, str]] = field(default_factory=list)
    http_requests: list[HttpRequest] = field(default_factory=list)

    def now(self) -> float:
        return self.clock.now()

    def moment(self) -> Moment:
        """When settings were read, to know when they are out of date."""
        return self.now(), self.epoch

    def diagnose(self, level: str, text: str) -> None:
        if not self.threaded:
            self.diagnostics.append((level, text))
        else:
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            print(f"{moment} {level} {text}", file=sys.stderr, flush=True)  # noqa: T201 - the log

    def print_line(self, text: str) -> None:
        self.printed.append(text)
        if self.threaded:
            print(text, flush=True)  # noqa: T201 - Lua's print

    def read_text(self, path: str) -> str:
        self.counters["fs.read"] += 1
        try:
            return self.paths.real(path).read_text(encoding="utf-8")
        except OSError as error:
            raise KumoError(f"reading file {path}: {reason(error)}") from None

    def load_key_source(self, source: Any) -> bytes:
        """The bytes of a key: from a file, or given literally."""
        if isinstance(source, dict) and "key_data" in source:
            return str(source["key_data"]).encode()
        if not isinstance(source, str):
            raise KumoError("this kind of KeySource is not in this stand-in for kumod")
        try:
            return self.paths.real(source).read_bytes()
        except OSError as error:
            failed = f"KeySource failed to load data from file `{source}`"
            raise KumoError(f'File("{source}"): {failed}: {reason(error)}') from None


def free_percent(folder: Path) -> tuple[float, float]:
    while not folder.exists():
        folder = folder.parent
    status = os.statvfs(folder)
    space = 100.0 * status.f_bavail / status.f_blocks if status.f_blocks else 100.0
    inodes = 100.0 * status.f_favail / status.f_files if status.f_files else 100.0
    return round(space, 2), round(inodes, 2)


def reason(error: OSError) -> str:
    """The reason in Rust's words."""
    return f"{error.strerror} (os error {error.errno})"
