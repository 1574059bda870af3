"""The verb `release`: shows a release on this host, and how it differs from the live one."""

from pathlib import Path
from typing import Any

from hostagent.host import Host
from hostagent.release.model import Manifest
from hostagent.release.store import Store


def show(host: Host) -> dict[str, Any]:
    """The files of the live release, with the contents of those that are not secret."""
    store = Store(host.layout)
    manifest = store.manifest(store.current_id())
    root = host.layout.release(manifest.id) / "root"
    return {
        "release": manifest.id,
        "files": {
            file.path: {
                "mode": file.mode,
                "owner": file.owner,
                "group": file.group,
                "secret": file.secret,
                "sha256": file.sha256,
                "content": None if file.secret else _text(root / file.path.lstrip("/")),
            }
            for file in manifest.files
        },
    }


def _text(path: Path) -> str | None:
    """Its text; None for a program."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None


def differences(live: Manifest, other: Manifest) -> dict[str, list[str]]:
    """Paths that a switch from the live release to another would add, remove and change."""
    here, there = live.by_path, other.by_path
    return {
        "added": sorted(there.keys() - here.keys()),
        "removed": sorted(here.keys() - there.keys()),
        "changed": sorted(path for path in here.keys() & there.keys() if here[path] != there[path]),
    }
