"""Live paths as links into the current release, and backups of what was there before.

A live path always matches the current release: a link for a file that only the
other release has dangles, which counts as a missing file.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from hostagent import durable
from hostagent.layout import Layout
from hostagent.release.model import Manifest


def link_paths(manifest: Manifest) -> tuple[str, ...]:
    """The live paths that are separate links: linked directories, and files outside them."""
    whole = tuple(f"{path}/" for path in manifest.linked_directories)
    single = (file.path for file in manifest.files if not file.path.startswith(whole))
    return (*manifest.linked_directories, *single)


def is_ours(layout: Layout, path: str) -> bool:
    """Whether the live path is the link that a release puts there."""
    try:
        return str(layout.live(path).readlink()) == layout.link_target(path)
    except OSError:
        return False


def foreign(layout: Layout, manifest: Manifest) -> tuple[str, ...]:
    """Live paths where something else is, such as a package's own configuration."""
    return tuple(
        path
        for path in link_paths(manifest)
        if os.path.lexists(layout.live(path)) and not is_ours(layout, path)
    )


def place_missing(layout: Layout, manifest: Manifest) -> None:
    """Create links that are missing: they dangle, or match the current release."""
    for path in link_paths(manifest):
        live = layout.live(path)
        if not os.path.lexists(live):
            live.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            durable.put_link(live, layout.link_target(path))


def settle(
    layout: Layout, manifest: Manifest, others: Iterable[Manifest], *, backup: str
) -> tuple[str, ...]:
    """Make the links match the manifest; returns what was backed up.

    Links that only `others` have are removed. May be repeated after an interruption.
    """
    drop_stale(layout, manifest, others)
    moved = foreign(layout, manifest)
    for path in moved:
        back_up(layout, path, backup)
        durable.put_link(layout.live(path), layout.link_target(path))
    place_missing(layout, manifest)
    return moved


def drop_stale(layout: Layout, manifest: Manifest, others: Iterable[Manifest]) -> None:
    """Remove links that only other releases have."""
    wanted = set(link_paths(manifest))
    for other in others:
        for path in link_paths(other):
            if path not in wanted and is_ours(layout, path):
                layout.live(path).unlink()


def adopt(layout: Layout, paths: Iterable[str], live: Manifest, *, backup: str) -> None:
    """Replace existing files with links, before the switch and without a visible change.

    The live release gets a copy, so that each link has the old content until the switch; a
    path of the live release itself (somebody replaced its link with a file) gets that content.
    """
    own = set(link_paths(live))
    for path in paths:
        there = layout.live(path)
        if is_ours(layout, path):
            continue
        back_up(layout, path, backup)
        if path not in own:
            durable.discard(layout.stored(live.id, path))
            keep(there, layout.stored(live.id, path), mode=0o755)
        durable.put_link(there, layout.link_target(path))


def back_up(layout: Layout, path: str, backup: str) -> None:
    """Back up what is at a live path."""
    keep(layout.live(path), layout.backup / backup / path.lstrip("/"))


def keep(source: Path, kept: Path, *, mode: int = 0o700) -> None:
    """Copy a file, link or directory with mode and owner; an earlier copy stays."""
    kept.parent.mkdir(mode=mode, parents=True, exist_ok=True)
    if os.path.lexists(kept):
        return
    partial = durable.partial(kept)
    copy(source, partial)
    partial.rename(kept)
    durable.sync_file_system(kept.parent)


def copy(source: Path, target: Path) -> None:
    """A copy with mode, owner and times."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
        for item in [source, *source.rglob("*")]:
            copy_owner(item, target / item.relative_to(source))
    else:
        shutil.copy2(source, target, follow_symlinks=False)
        copy_owner(source, target)


def copy_owner(source: Path, target: Path) -> None:
    """Give the copy the original's owner."""
    status = source.lstat()
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)


def bring_back(layout: Layout, manifest: Manifest, paths: Iterable[str], *, backup: str) -> None:
    """Restore backups of paths that the manifest does not have."""
    wanted = set(link_paths(manifest))
    for path in paths:
        kept = layout.backup / backup / path.lstrip("/")
        if path in wanted or not os.path.lexists(kept) or not is_ours(layout, path):
            continue
        partial = durable.partial(layout.live(path))
        copy(kept, partial)
        durable.put(partial, layout.live(path))
        durable.discard(kept)
