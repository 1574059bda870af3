"""The verb `drift`: how the host differs from its live release. Reads only."""

import os
import stat
from collections.abc import Iterator
from typing import Any

from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.push import pending
from hostagent.release import links
from hostagent.release.model import Directory, Manifest
from hostagent.release.store import Store, owner_ids
from hostagent.system import packages, volumes
from hostagent.system.units import Units


def drift(host: Host) -> dict[str, Any]:
    """The live release and every difference from it."""
    store = Store(host.layout)
    live = store.current_id()
    if not host.layout.current.is_symlink():
        raise AgentError("this host has no release", "run `pulumi up`")
    manifest = store.manifest(live)
    found = [
        {"what": what, "kind": kind, "found": text}
        for what, kind, text in differences(host, store, manifest)
    ]
    return {"release": live, "host": manifest.host, "differences": found}


def differences(host: Host, store: Store, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """What differs, of which kind, and how."""
    for file, why in store.damaged(manifest):
        yield file.path, "file", why
    yield from _links(host, manifest)
    for path in store.additions(manifest):
        yield path, "file", "not in the release"
    for directory in manifest.directories:
        text = _directory(host, directory)
        if text:
            yield directory.path, "directory", text
    for path in volumes.unmounted(host, manifest.mounts):
        yield path, "mount", "nothing is mounted here"
    units = Units(host)
    for unit, state in units.states(manifest.units).items():
        if state != "active":
            yield unit, "unit", state
    for unit in units.disabled(manifest.units):
        yield unit, "unit", "does not start at boot"
    yield from _packages(host, manifest)
    note = pending.read(host.layout)
    if note is not None:
        yield (
            note.target,
            "switch",
            "was interrupted; the next push or `ping8-agent finish` ends it",
        )


def _links(host: Host, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    for path in links.link_paths(manifest):
        if not links.is_ours(host.layout, path):
            there = os.path.lexists(host.layout.live(path))
            yield path, "link", "something else is there" if there else "missing"


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


def _packages(host: Host, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    versions = packages.installed(host, [*manifest.packages, "kumomta"])
    for name in manifest.packages:
        if name not in versions:
            yield name, "package", "not installed"
    if manifest.kumomta_preinstalled:
        return
    version = versions.get("kumomta", "")
    if not packages.matches(version, manifest.kumomta_version):
        yield (
            "kumomta",
            "package",
            f"{version or 'no version'} instead of {manifest.kumomta_version}",
        )
