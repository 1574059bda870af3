"""A host below a temporary folder: real files and the real agent, a play of systemd and apt."""

import getpass
import grp
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostagent.commands import Commands, Result
from hostagent.host import Host
from hostagent.layout import Layout
from hostagent.push.push import push
from hostagent.release.model import Bundle, parse_bundle
from hostagent.report import Reporter
from policy.push import bundle_of
from policy.release import HostFacts, Release, ReleaseFile

ME = getpass.getuser()
GROUP = grp.getgrgid(os.getgid()).gr_name
INSTANCE = "i-0123456789abcdef0"
TOKEN = "sEcReT0123456789abcdefghijklmnopqrstuvwxyzA"
POLICY = "/opt/kumomta/etc/policy"
UNITS = ("kumomta.service", "nginx.service")


PROGRAMS = {"kumomta.service": "/opt/kumomta/sbin/kumod", "nginx.service": "/usr/sbin/nginx"}


class Play(Commands):
    """Answers as systemd, apt and KumoMTA would, and remembers what it was asked.

    `state` is what systemd knows of units; `refuse` maps a part of a command to the answer of one
    that fails, `once` only the first time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.state: dict[str, str] = {}
        self.enabled: set[str] = set()
        self.refuse: dict[str, Result] = {}
        self.once: dict[str, Result] = {}
        self.packages: dict[str, str] = {"kumomta": "2026.09.29-b90d8bc1"}
        self.journal = ""
        self.restarts: dict[str, int] = {}
        self.on: dict[str, Callable[[], None]] = {}

    def run(
        self,
        arguments: Sequence[str],
        *,
        limit: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        words = list(arguments)
        self.asked.append(words)
        text = " ".join(words)
        for beginning, act in self.on.items():
            if text.startswith(beginning):
                act()
        for answers in (self.once, self.refuse):
            for part, answer in answers.items():
                if part in text:
                    self.once.pop(part, None)
                    return answer
        handler: Callable[[list[str]], Result] | None = getattr(
            self, f"_{words[0].replace('-', '_')}", None
        )
        if handler:
            return handler(words)
        if words[0] in {"rm"}:
            return super().run(arguments, limit=limit)
        return Result(0, "")

    def changes(self) -> list[str]:
        """What systemd was told to do, in order."""
        verbs = {"start", "stop", "restart", "reload-or-restart"}
        return [" ".join(words[1:]) for words in self.asked if words[1:2] and words[1] in verbs]

    def _systemctl(self, words: list[str]) -> Result:
        verb, units = words[1], words[2:]
        if verb in {"start", "restart", "reload-or-restart"}:
            self.state.update(dict.fromkeys(units, "active"))
        elif verb == "stop":
            self.state.update(dict.fromkeys(units, "inactive"))
        elif verb == "enable":
            self.enabled.update(units)
        elif verb == "disable":
            self.enabled.difference_update(units)
        elif verb == "is-active":
            states = [self.state.get(unit, "inactive") for unit in units]
            return Result(0 if set(states) == {"active"} else 3, "\n".join(states))
        elif verb == "is-enabled":
            states = ["enabled" if unit in self.enabled else "disabled" for unit in units]
            return Result(0 if set(states) == {"enabled"} else 1, "\n".join(states))
        elif verb == "show" and "NRestarts" in words[2]:
            return Result(0, str(self.restarts.get(words[-1], 0)))
        elif verb == "show":
            return Result(
                0, f"ExecStart={PROGRAMS.get(words[-1])}\nActiveState={self.state.get(words[-1])}"
            )
        return Result(0, "")

    def _journalctl(self, words: list[str]) -> Result:
        return Result(0, self.journal)

    def _dpkg_query(self, words: list[str]) -> Result:
        rows = [f"{name} installed {version}" for name, version in self.packages.items()]
        return Result(0, "\n".join(rows))


@dataclass
class World:
    """One host and everything that a test asks of it."""

    root: Path
    play: Play = field(default_factory=Play)
    progress: io.StringIO = field(default_factory=io.StringIO)
    clock: float = 0.0

    def host(self, observer: Callable[[str], None] = lambda step: None) -> Host:
        """The host as one run of the agent sees it."""

        def pause(seconds: float) -> None:
            self.clock += seconds

        return Host(
            layout=Layout(self.root),
            commands=self.play,
            report=Reporter(self.progress, io.StringIO()),
            observer=observer,
            now=lambda: self.clock,
            pause=pause,
        )

    def push(
        self, release: Release, *, observer: Callable[[str], None] = lambda step: None, **more: Any
    ) -> dict[str, Any]:
        """Push a release as `policy.push` sends it."""
        return push(self.host(observer), bundle(release, **more))

    def read(self, path: str) -> str:
        """A live file."""
        return (self.root / path.lstrip("/")).read_text()

    def live(self) -> str:
        """Id of the live release."""
        return (self.root / "opt/ping8/current").readlink().name

    def torn(self, *releases: Release, packaged: Mapping[str, str] | None = None) -> str | None:
        """Why the live files are not exactly those of the live one of these releases, or None.

        `packaged` are files that a package brought, which may be where the release has none.
        """
        by_id = {release.id: release for release in releases}
        live = by_id.get(self.live())
        expected = {file.path: file.content for file in live.files} if live else {}
        for path in sorted({file.path for release in releases for file in release.files}):
            there = self.root / path.lstrip("/")
            found = there.read_bytes() if there.exists() else None
            if path not in expected and packaged and found == packaged.get(path, "").encode():
                continue
            if found != expected.get(path):
                return f"{path}: {found!r} instead of {expected.get(path)!r} of {self.live()}"
        return None


def bundle(release: Release, *, instance: str = INSTANCE, always: bool = False) -> Bundle:
    """The release as it arrives."""
    facts = HostFacts(name=release.host, instance_id=instance)
    return parse_bundle(bundle_of(release, facts, always=always).encode())


def file(path: str, content: str, **more: Any) -> ReleaseFile:
    """A file that belongs to whoever runs the tests."""
    return ReleaseFile(path=path, content=content.encode(), owner=ME, group=GROUP, **more)


def release(*files: ReleaseFile, units: tuple[str, ...] = UNITS, **more: Any) -> Release:
    """A small release of an MTA host, with a policy and its environment unless given others."""
    defaults = {
        f"{POLICY}/init.lua": file(f"{POLICY}/init.lua", "-- policy"),
        "/etc/default/kumomta": file(
            "/etc/default/kumomta",
            f"PING8_WEBHOOK_TOKEN={TOKEN}\n",
            mode=0o600,
            secret=True,
            effects=("restart kumomta.service",),
        ),
    }
    every = {**defaults, **{item.path: item for item in files}}
    return Release(
        host="mta",
        role="mta",
        files=tuple(every.values()),
        digest_key="key",
        kumomta_version="2026.09.29-b90d8bc1",
        linked_directories=(POLICY,),
        units=units,
        **more,
    )


def new_world(root: Path) -> World:
    """A host that has booted and has nothing yet."""
    for folder in ("etc/systemd/system", "etc/default", "var/lib/cloud/data"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/cloud/data/instance-id").write_text(f"{INSTANCE}\n")
    return World(root=root)
