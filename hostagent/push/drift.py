"""How a host differs from its release: one comparison for `drift`, pushes and repairs."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hostagent import draining
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.push import pending
from hostagent.release import links
from hostagent.release.model import Directory, Manifest
from hostagent.release.store import Store, owner_ids
from hostagent.system import packages, volumes
from hostagent.system.units import Units


@dataclass(frozen=True)
class Difference:
    """`what` is a path, a unit, a package or a release; `kind` is how it differs."""

    what: str
    kind: str
    found: str


Look = Callable[[Host, Store, Manifest], Iterator[Difference]]
"""Compares one aspect of a host, and changes nothing."""


def drift(host: Host) -> dict[str, Any]:
    """The verb: the live release and every difference from it."""
    store = Store(host.layout)
    live = store.current_id()
    if not host.layout.current.is_symlink():
        raise AgentError("this host has no release", "run `pulumi up`")
    manifest = store.manifest(live)
    found = [vars(each) for each in differences(host, store, manifest)]
    mark = draining.read(host.layout)
    return {
        "release": live,
        "host": manifest.host,
        "differences": found,
        "draining": mark and asdict(mark),
    }


def sound(host: Host, store: Store, manifest: Manifest) -> bool:
    """A quick check whether the live release works."""
    return not any(differences(host, store, manifest, (look_at_links, _mounts, _states)))


def look_at_files(_host: Host, store: Store, manifest: Manifest) -> Iterator[Difference]:
    """Files that differ from what was pushed."""
    for file, why in store.damaged(manifest):
        yield Difference(file.path, "file", why)


def look_at_links(host: Host, _store: Store, manifest: Manifest) -> Iterator[Difference]:
    """Live paths that do not lead into the release."""
    for path in links.link_paths(manifest):
        if not links.is_ours(host.layout, path):
            if os.path.lexists(host.layout.live(path)):
                yield Difference(path, "link", "something else is there")
            else:
                yield Difference(path, "missing link", "missing")


def look_at_additions(_host: Host, store: Store, manifest: Manifest) -> Iterator[Difference]:
    """Files that somebody added to directories of the release."""
    for path in store.additions(manifest):
        yield Difference(path, "added file", "not in the release")


def _directories(host: Host, _store: Store, manifest: Manifest) -> Iterator[Difference]:
    for directory in manifest.directories:
        text = _directory(host, directory)
        if text:
            yield Difference(directory.path, "directory", text)


def _mounts(host: Host, _store: Store, manifest: Manifest) -> Iterator[Difference]:
    for path in volumes.unmounted(host, manifest.mounts):
        yield Difference(path, "mount", "nothing is mounted here")


def _states(host: Host, _store: Store, manifest: Manifest) -> Iterator[Difference]:
    for unit, state in Units(host).states(manifest.units).items():
        if state != "active":
            yield Difference(unit, "unit", state)


def _boot(host: Host, _store: Store, manifest: Manifest) -> Iterator[Difference]:
    for unit in Units(host).disabled(manifest.units):
        yield Difference(unit, "unit", "does not start at boot")


def _packages(host: Host, _store: Store, manifest: Manifest) -> Iterator[Difference]:
    versions = packages.installed(host, [*manifest.packages, "kumomta"])
    for name in manifest.packages:
        if name not in versions:
            yield Difference(name, "package", "not installed")
    version, wanted = versions.get("kumomta", ""), manifest.kumomta_version
    if not manifest.kumomta_preinstalled and not packages.matches(version, wanted):
        yield Difference("kumomta", "package", f"{version or 'no version'} instead of {wanted}")


def _switch(host: Host, _store: Store, _manifest: Manifest) -> Iterator[Difference]:
    note = pending.read(host.layout)
    if note is not None:
        how = "was interrupted; the next push or `ping8-agent finish` completes it"
        yield Difference(note.target, "switch", how)


LOOKS: tuple[Look, ...] = (
    look_at_files,
    look_at_links,
    look_at_additions,
    _directories,
    _mounts,
    _states,
    _boot,
    _packages,
    _switch,
)


def differences(
    host: Host, store: Store, manifest: Manifest, looks: Iterable[Look] = LOOKS
) -> Iterator[Difference]:
    """The differences from the live release, in the given aspects."""
    for look in looks:
        yield from look(host, store, manifest)


def _directory(host: Host, directory: Directory) -> str:
    try:
        status = host.layout.live(directory.path).lstat()
    except FileNotFoundError:
        return "missing"
    if not stat.S_ISDIR(status.st_mode):
        return "not a directory"
    if stat.S_IMODE(status.st_mode) != directory.mode:
        return f"mode {stat.S_IMODE(status.st_mode):04o} instead of {directory.mode:04o}"
    if (status.st_uid, status.st_gid) != owner_ids(directory.owner, directory.group):
        return (
            f"owner {status.st_uid}:{status.st_gid} instead of {directory.owner}:{directory.group}"
        )
    return ""
