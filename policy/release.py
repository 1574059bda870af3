"""A release: the complete set of files of one host, named by the hash of its content."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal

Role = Literal["mta", "proxy"]


@dataclass(frozen=True, kw_only=True)
class ReleaseFile:
    """One file, by its live path.

    `effects` says what a changed file asks for, as systemd verb and unit: `restart kumomta.service`
    or `reload nginx.service`; none means that the running service takes it up by itself.
    """

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    effects: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Directory:
    """A directory that must exist on the host, outside the release (state, logs, spools)."""

    path: str
    mode: int
    owner: str
    group: str


@dataclass(frozen=True, kw_only=True)
class Mount:
    """Where a volume of the host is mounted. `volume` is its name in `HostFacts.volumes`."""

    volume: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """What must hold on a healthy host, beside its units being active.

    `liveness`: the URL answers 200. `injection`: the URL answers 401 to a POST without a token and
    something else, below 500, with the bearer token found in `token_file` (a file of the release,
    read on the host). `socks5`, `banner`: a SOCKS5 proxy or an SMTP server greets at `host:port`.
    """

    kind: Literal["liveness", "injection", "socks5", "banner"]
    target: str
    token_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class PackageSource:
    """Where KumoMTA's package comes from: addresses of the repository's key and of its list.

    `lines` for apt, the key's `fingerprint` and the package's SHA-256 `digest` are known once the
    version is pinned; until then the host takes the list and the key that it finds.
    """

    key: str
    list: str
    lines: tuple[str, ...] = ()
    fingerprint: str = ""
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class Release:
    """All that a host is to be; pure data, the same for the same input.

    `linked_directories` are live directories that are one link as a whole (the policy, so that
    code and data switch together); every other file is a link of its own.
    `units` are enabled and must be active when the host is healthy.
    `users` are system users to make, beside those that packages bring.
    """

    host: str
    role: Role
    files: tuple[ReleaseFile, ...]
    id: str
    linked_directories: tuple[str, ...] = ()
    directories: tuple[Directory, ...] = ()
    mounts: tuple[Mount, ...] = ()
    packages: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    kumomta_version: str
    kumomta_preinstalled: bool = False
    source: PackageSource | None = None


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What a push must know of the very host: a replaced instance has other facts.

    `volumes` maps a volume's name (`spool`, `logs`) to its EBS id (`vol-...`), `sizes` to its GiB,
    so that a volume that grew is pushed to and its file system grows with it.
    """

    name: str
    instance_id: str
    volumes: tuple[tuple[str, str], ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()


def build_release(
    *,
    host: str,
    role: Role,
    files: Iterable[ReleaseFile],
    digest_key: str,
    kumomta_version: str,
    kumomta_preinstalled: bool = False,
    source: PackageSource | None = None,
    linked_directories: tuple[str, ...] = (),
    directories: tuple[Directory, ...] = (),
    mounts: tuple[Mount, ...] = (),
    packages: tuple[str, ...] = (),
    users: tuple[str, ...] = (),
    units: tuple[str, ...] = (),
    checks: tuple[Check, ...] = (),
) -> Release:
    """A release under its id; the order in which files are given does not matter."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    twice = [path for path, count in Counter(file.path for file in ordered).items() if count > 1]
    if twice:
        raise ValueError(f"two files of one path: {', '.join(twice)}")
    manifest = {
        "host": host,
        "role": role,
        "linked_directories": linked_directories,
        "directories": [asdict(directory) for directory in directories],
        "mounts": [asdict(mount) for mount in mounts],
        "packages": packages,
        "users": users,
        "units": units,
        "checks": [asdict(check) for check in checks],
        "kumomta": [kumomta_version, kumomta_preinstalled],
        "source": asdict(source) if source else None,
    }
    return Release(
        host=host,
        role=role,
        files=ordered,
        id=release_id(ordered, digest_key=digest_key, manifest=manifest),
        linked_directories=linked_directories,
        directories=directories,
        mounts=mounts,
        packages=packages,
        users=users,
        units=units,
        checks=checks,
        kumomta_version=kumomta_version,
        kumomta_preinstalled=kumomta_preinstalled,
        source=source,
    )


def release_id(files: Iterable[ReleaseFile], *, digest_key: str, manifest: object = None) -> str:
    """Sixteen hex digits over paths, modes, owners, effects and contents.

    Secret contents enter as HMAC-SHA256 under `digest_key`, so that the id reveals nothing about
    them. `manifest` is whatever else belongs to the release, as JSON-able data.
    """
    entries = sorted(
        (file.path, file.mode, file.owner, file.group, file.effects, _digest(file, digest_key))
        for file in files
    )
    text = json.dumps([entries, manifest], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest(file: ReleaseFile, digest_key: str) -> str:
    if file.secret:
        return hmac.digest(digest_key.encode(), file.content, "sha256").hex()
    return hashlib.sha256(file.content).hexdigest()
