"""Releases on disk: unpacked, verified, made live, kept and pruned."""

import grp
import hashlib
import itertools
import os
import pwd
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from hostagent import durable
from hostagent.errors import AgentError
from hostagent.layout import Layout
from hostagent.release.model import NOTHING, File, Manifest, empty_manifest, parse_manifest

KEEP = 5
_OLD = 14 * 86400.0
_MARGIN = 64 * 1024 * 1024
_SPARE_INODES = 1000


class Store:
    """The folder of releases of one host."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def open(self) -> None:
        """Make the folders, and make the empty release live on a fresh host."""
        for folder in (self.layout.base, self.layout.releases):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.layout.backup.mkdir(mode=0o700, exist_ok=True)
        nothing = self.layout.release(NOTHING)
        if not (nothing / "manifest.json").exists():
            (nothing / "root").mkdir(mode=0o755, parents=True, exist_ok=True)
            durable.write_bytes(nothing / "manifest.json", empty_manifest().raw.encode())
        if not os.path.lexists(self.layout.current):
            self.switch(NOTHING)

    def current_id(self) -> str:
        """Id of the live release."""
        try:
            return self.layout.current.readlink().name
        except FileNotFoundError:
            return NOTHING

    def manifest(self, release_id: str) -> Manifest:
        """The manifest of a release on this host."""
        data = durable.read_json(self.layout.release(release_id) / "manifest.json")
        if not isinstance(data, dict):
            raise AgentError(
                f"release {release_id} is not on this host",
                f"kept are: {', '.join(self.kept()) or 'none'}",
            )
        return parse_manifest(data)

    def kept(self) -> list[str]:
        """Ids of complete releases on disk, in no order."""
        found = self.layout.releases.glob("*/manifest.json")
        return sorted(path.parent.name for path in found if path.parent.name != NOTHING)

    def stored_at(self, release_id: str) -> float:
        """When a release arrived on this host."""
        return (self.layout.releases / release_id / "manifest.json").stat().st_mtime

    def history(self) -> list[str]:
        """Ids of releases that were live and healthy and are still here, newest last."""
        recorded = durable.read_json(self.layout.history) or []
        kept = set(self.kept())
        return [release_id for release_id in recorded if release_id in kept]

    def previous_id(self) -> str | None:
        """The release that was live and healthy before the current one."""
        earlier = [item for item in self.history() if item != self.current_id()]
        return earlier[-1] if earlier else None

    def remember(self, release_id: str) -> None:
        """Record that a release is live and healthy."""
        rest = [item for item in self.history() if item != release_id]
        durable.write_json(self.layout.history, [*rest, release_id])

    def check_space(self, needed: int, count: int) -> None:
        """Refuse a release that would fill the disk."""
        space = os.statvfs(self.layout.releases)
        free = space.f_bavail * space.f_frsize
        if free < needed + min(_MARGIN, needed * 4 + 1024 * 1024):
            raise AgentError(
                f"{self.layout.releases} has {free // 1024} KiB free and the release needs "
                f"{needed // 1024} KiB and a margin",
                "free space on the root volume (journal, package cache), then push again",
            )
        if space.f_files and space.f_favail < count + _SPARE_INODES:
            raise AgentError(
                f"{self.layout.releases} has {space.f_favail} inodes free and the release "
                f"needs {count} and a margin",
                "remove files from the root volume, then push again",
            )

    def stage(self, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
        """Unpack a release under its id, complete and durable, without making it live."""
        folder = self.layout.release(manifest.id)
        if folder.exists():
            # Left by an earlier push. Trusted only if nothing in it has changed since.
            if self._kept_raw(manifest.id) == manifest.raw and not self.damaged(manifest):
                return
            self.remove(manifest.id)
        staging = self.layout.staging
        self.clean()
        staging.mkdir(mode=0o700)
        try:
            self._unpack(staging, manifest, contents)
        except OSError:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        staging.chmod(0o755)
        durable.sync_file_system(staging)
        staging.rename(folder)
        durable.sync_directory(self.layout.releases)

    def restore(self, file: File, release_id: str, content: bytes) -> None:
        """Restore one file of a release as it was pushed."""
        path = self.layout.stored(release_id, file.path)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        uid, gid = owner_ids(file.owner, file.group)
        durable.write_bytes(path, content, mode=file.mode, uid=uid, gid=gid)

    def damaged(self, manifest: Manifest) -> list[tuple[File, str]]:
        """Files of a release that are not as pushed, with what is wrong."""
        found = []
        for file in manifest.files:
            why = difference(self.layout.stored(manifest.id, file.path), file)
            if why is not None:
                found.append((file, why))
        return found

    def additions(self, manifest: Manifest) -> list[str]:
        """Live paths of files that somebody added to linked directories of a release."""
        known = manifest.by_path
        found = []
        for path in manifest.linked_directories:
            stored = self.layout.stored(manifest.id, path)
            for item in sorted(stored.rglob("*")):
                live = f"{path}/{item.relative_to(stored)}"
                if live not in known and (item.is_symlink() or not item.is_dir()):
                    found.append(live)
        return found

    def switch(self, release_id: str) -> None:
        """Make a release live, with one rename."""
        durable.put_link(self.layout.current, f"releases/{release_id}")

    def remove(self, release_id: str) -> None:
        """Delete a release that is not live, manifest first, so that it never looks complete."""
        folder = self.layout.release(release_id)
        (folder / "manifest.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def clean(self) -> None:
        """Remove what an interrupted push left partly unpacked."""
        shutil.rmtree(self.layout.staging, ignore_errors=True)
        for folder in self.layout.releases.iterdir():
            if folder.is_dir() and not (folder / "manifest.json").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def prune(self, *, spare: str = "") -> None:
        """Keep five releases: the live one, the one before it and the newest others."""
        order = [self.current_id(), self.previous_id() or "", *reversed(self.history())]
        keep = list(dict.fromkeys(item for item in order if item))[:KEEP]
        for release_id in self.kept():
            if release_id not in keep and release_id != spare:
                self.remove(release_id)

    def forget(self, now: float) -> None:
        """Remove what was replaced two weeks ago: old releases and backups contain old secrets."""
        live = self.current_id()
        followed_by = dict(itertools.pairwise(self.history()))
        for release_id in self.kept():
            next_one = followed_by.get(release_id, release_id)
            if next_one == live:
                replaced = self.layout.current.lstat().st_mtime
            else:
                replaced = self.stored_at(next_one)
            if release_id != live and now - replaced > _OLD:
                self.remove(release_id)
        for backup in self.layout.backup.glob("*"):
            if now - backup.lstat().st_mtime > _OLD:
                shutil.rmtree(backup, ignore_errors=True)

    def _kept_raw(self, release_id: str) -> str:
        try:
            return (self.layout.release(release_id) / "manifest.json").read_text()
        except FileNotFoundError:
            return ""

    def _unpack(self, folder: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
        (folder / "root").mkdir(mode=0o755)
        for directory in manifest.linked_directories:
            (folder / "root" / directory.lstrip("/")).mkdir(mode=0o755, parents=True, exist_ok=True)
        for file in manifest.files:
            path = folder / "root" / file.path.lstrip("/")
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            uid, gid = owner_ids(file.owner, file.group)
            durable.create(path, contents[file.path], mode=file.mode, uid=uid, gid=gid, sync=False)
        # Last: a folder with a manifest is complete.
        durable.create(
            folder / "manifest.json", manifest.raw.encode(), mode=0o600, uid=-1, gid=-1, sync=False
        )


def owner_ids(owner: str, group: str) -> tuple[int, int]:
    """Ids of a user and a group on this host."""
    try:
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        raise AgentError(
            f"user or group {owner}:{group} does not exist on this host",
            "the release must list the package that creates it, or the user itself",
        ) from None


def difference(path: Path, file: File) -> str | None:
    """How a stored file differs from the release, or None."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    mode = stat.S_IMODE(status.st_mode)
    if mode != file.mode:
        return f"mode {mode:04o} instead of {file.mode:04o}"
    if (status.st_uid, status.st_gid) != owner_ids(file.owner, file.group):
        return f"owner {status.st_uid}:{status.st_gid} instead of {file.owner}:{file.group}"
    if hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        return "content differs"
    return None
