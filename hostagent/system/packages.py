"""Packages: installs what is missing, KumoMTA at its pinned version, without starting services."""

import contextlib
import fnmatch
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hostagent import contract, durable
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release.model import Manifest
from hostagent.system import package_source

_APT = [
    "apt-get",
    "--quiet",
    "--yes",
    "--no-install-recommends",
    "--option=DPkg::Lock::Timeout=300",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
    "--option=APT::Keep-Downloaded-Packages=true",
    "--option=Acquire::Retries=3",
    "--option=Acquire::http::Timeout=30",
    "--option=Acquire::https::Timeout=30",
]
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l", "NEEDRESTART_SUSPEND": "1"}
_UPDATE, _INSTALL = 300.0, 1200.0
_FIX = "check whether the host can reach its package sources (`apt-get update`), then push again"
_KUMOMTA = "kumomta"
_POLICY_RC = "/usr/sbin/policy-rc.d"
_POLICY_TEXT = b"#!/bin/sh\n# ping8-agent: nothing starts because it was installed.\nexit 101\n"


@dataclass(frozen=True)
class Upgrade:
    """A change of the KumoMTA version: exact package versions, and the new one's files."""

    origin: str
    target: str
    tree: Path


def ensure(host: Host, manifest: Manifest) -> Upgrade | None:
    """Install what is missing; if KumoMTA is not at the pinned version, only fetch that."""
    forget_policy(host)
    others = [name for name in manifest.packages if name != _KUMOMTA]
    versions = installed(host, [*others, _KUMOMTA])
    missing = [name for name in others if name not in versions]
    wants = not manifest.kumomta_preinstalled
    if not wants:
        _require_tree(host)
    present = versions.get(_KUMOMTA, "") if wants else ""
    changes = wants and present and not matches(present, manifest.kumomta_version)
    if wants and manifest.source:
        package_source.ensure(host, manifest.source)
    if not missing and (not wants or (present and not changes)):
        return None
    _update(host)
    digest = manifest.source.digest if manifest.source else ""
    if wants and not present:
        missing.append(_first(host, _available(host, manifest.kumomta_version), digest))
    if missing:
        install(host, missing)
    return _fetch(host, present, manifest.kumomta_version, digest) if changes else None


def installed(host: Host, names: Iterable[str]) -> dict[str, str]:
    """Versions of those of the packages that are installed."""
    form = "${binary:Package} ${db:Status-Status} ${Version}\n"
    output = host.commands.run(
        ["dpkg-query", "--show", f"--showformat={form}", *names], limit=60
    ).output
    rows = [line.split() for line in output.splitlines()]
    return {row[0].split(":")[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def matches(version: str, pinned: str) -> bool:
    """Whether a package's version is the pinned release, ignoring build suffixes."""
    return fnmatch.fnmatchcase(version, pattern(pinned))


def pattern(pinned: str) -> str:
    """Package versions of a release such as 2026.09.29-b90d8bc1, as a glob."""
    return "*" + re.sub(r"[^0-9A-Za-z.]", "*", pinned) + "*"


def install(host: Host, names: Iterable[str], *extra: str) -> None:
    """Install packages without starting services; KumoMTA is held at its version."""
    wanted = list(names)
    host.report.say(f"installing {' '.join(wanted)}")
    with _nothing_starts(host):
        _apt(host, "install", "--allow-change-held-packages", *extra, *wanted)
    if any(Path(name.split("=")[0]).name.startswith(_KUMOMTA) for name in wanted):
        host.commands.must(["apt-mark", "hold", _KUMOMTA], limit=60, fix=_FIX)


def change_kumomta(host: Host, version: str) -> None:
    """Install an exact KumoMTA version, older or newer."""
    if installed(host, [_KUMOMTA]).get(_KUMOMTA) != version:
        # From the file that was fetched before anything stopped, whatever the sources have now.
        files = _files(host, version)
        install(host, [str(files[-1]) if files else f"{_KUMOMTA}={version}"], "--allow-downgrades")


def forget_policy(host: Host) -> None:
    """Remove what an interrupted installation left."""
    path = host.layout.live(_POLICY_RC)
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == _POLICY_TEXT:
            path.unlink()


def _first(host: Host, version: str, digest: str) -> str:
    """What to install on a host without KumoMTA: by name, or a file with a known digest."""
    if not digest:
        return f"{_KUMOMTA}={version}"
    _apt(host, "install", "--download-only", f"{_KUMOMTA}={version}")
    return str(_file(host, version, digest))


def _fetch(host: Host, origin: str, pinned: str, digest: str) -> Upgrade:
    """Download a version with what it needs, and unpack it for validation.

    The old version is fetched too: without it no rollback is possible.
    """
    target = _available(host, pinned)
    host.report.say(f"fetching kumomta {target} (installed: {origin})")
    for version in (origin, target):
        if version == origin and _files(host, origin):
            continue  # the sources may have dropped it
        _apt(
            host, "install", "--download-only", "--reinstall", "--allow-downgrades",
            "--allow-change-held-packages", f"{_KUMOMTA}={version}",
        )  # fmt: skip
    _file(host, origin)
    new = _file(host, target, digest)
    tree = host.layout.kumomta / "next"
    host.commands.must(["rm", "-rf", str(tree)], limit=60, fix=_FIX)
    tree.mkdir(mode=0o755, parents=True)
    host.commands.must(["dpkg-deb", "--extract", str(new), str(tree)], limit=300, fix=_FIX)
    return Upgrade(origin=origin, target=target, tree=tree)


def _file(host: Host, version: str, digest: str = "") -> Path:
    """The package file of a version; one that is not the pinned file is deleted."""
    files = _files(host, version)
    if not files:
        raise AgentError(f"apt-get left no package file of kumomta {version}", _FIX)
    found = hashlib.sha256(files[-1].read_bytes()).hexdigest()
    if digest and found != digest:
        files[-1].unlink()
        raise AgentError(
            f"the package of kumomta {version} has the SHA-256 {found}, but the settings name "
            f"{digest}",
            "`ping8 kumomta pin` says what the repository has now; change the settings only if "
            "you know why",
        )
    return files[-1]


def _files(host: Host, version: str) -> list[Path]:
    """Package files of a version of KumoMTA that are on the host."""
    escaped = version.replace(":", "%3a")
    archives = host.layout.live("/var/cache/apt/archives")
    return sorted(archives.glob(f"{_KUMOMTA}_{escaped}_*.deb"))


def _available(host: Host, pinned: str) -> str:
    """The exact version of a release in the package sources."""
    output = host.commands.must(["apt-cache", "madison", _KUMOMTA], limit=60, fix=_FIX)
    rows = [line.split("|") for line in output.splitlines()]
    versions = [row[1].strip() for row in rows if len(row) > 1]
    for version in versions:
        if matches(version, pinned):
            return version
    known = ", ".join(versions[:5]) or "none at all"
    raise AgentError(
        f"the package sources have no kumomta {pinned}; they have {known}",
        "set `kumomta.version` to one of these, or correct the package source",
    )


def _require_tree(host: Host) -> None:
    program = host.layout.live(contract.KUMOD)
    if not program.exists():
        raise AgentError(
            f"KumoMTA must be pre-installed but {program} does not exist",
            f"use an image with {contract.KUMOMTA}, or unset `kumomta.preinstalled`",
        )


def _update(host: Host) -> None:
    host.report.say("reading the package sources")
    result = host.commands.run(
        [*_APT, "--option=APT::Update::Error-Mode=any", "update"], limit=_UPDATE, environment=_QUIET
    )
    if not result.good:
        raise AgentError(f"`apt-get update` failed: {result.tail(6)}", _FIX)


def _apt(host: Host, *arguments: str) -> None:
    result = host.commands.run([*_APT, *arguments], limit=_INSTALL, environment=_QUIET)
    if not result.good:
        # An interrupted installation leaves dpkg half done; completing it is always right.
        with _nothing_starts(host):
            host.commands.run(["dpkg", "--configure", "-a"], limit=_INSTALL, environment=_QUIET)
            result = host.commands.run([*_APT, *arguments], limit=_INSTALL, environment=_QUIET)
    if not result.good:
        raise AgentError(f"`apt-get {' '.join(arguments)}` failed: {result.tail(6)}", _FIX)


@contextlib.contextmanager
def _nothing_starts(host: Host) -> Iterator[None]:
    path = host.layout.live(_POLICY_RC)
    ours = not path.exists()
    if ours:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        durable.write_bytes(path, _POLICY_TEXT, mode=0o755)
    try:
        yield
    finally:
        if ours:
            path.unlink(missing_ok=True)
