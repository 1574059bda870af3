"""File operations that survive a power cut."""

import contextlib
import ctypes
import json
import os
import shutil
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_HERE = -100
_RENAME_EXCHANGE = 2


def sync_directory(path: Path) -> None:
    """Make the directory's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(path: Path) -> None:
    """Make everything written to this file system durable, but not the spool's."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)


def write_json(path: Path, data: Any) -> None:
    """Replace a file of the agent's own state with one rename."""
    write_bytes(path, json.dumps(data, sort_keys=True).encode())


def write_bytes(
    path: Path, content: bytes, *, mode: int = 0o600, uid: int = -1, gid: int = -1
) -> None:
    """Replace a file with one rename; mode and owner are set before the content is written."""
    new = partial(path)
    try:
        create(new, content, mode=mode, uid=uid, gid=gid, sync=True)
        new.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    sync_directory(path.parent)


def partial(path: Path) -> Path:
    """The temporary path for a replacement, without leftovers of an interrupted run."""
    new = path.with_name(f".{path.name}.ping8-new")
    discard(new)
    return new


def discard(path: Path) -> None:
    """Remove a file, a link or a whole directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def create(path: Path, content: bytes, *, mode: int, uid: int, gid: int, sync: bool) -> None:
    """A new file; never through a link, never readable before mode and owner are right."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchown(stream.fileno(), uid, gid)
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        if sync:
            os.fsync(stream.fileno())


def put_link(path: Path, target: str) -> None:
    """Replace whatever is there with a link, in one step."""
    new = partial(path)
    new.symlink_to(target)
    put(new, path)


def put(new: Path, path: Path) -> None:
    """Move something over a path in one step, even if one of the two is a directory."""
    both = os.path.lexists(path) and (_is_directory(new) or _is_directory(path))
    if both:
        _exchange(new, path)
        discard(new)
    else:
        new.rename(path)
    sync_directory(path.parent)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _exchange(first: Path, second: Path) -> None:
    names = os.fsencode(first), os.fsencode(second)
    if _libc.renameat2(_HERE, names[0], _HERE, names[1], _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(second))


def read_json(path: Path) -> Any:
    """The data, or None if there is no file or it is not JSON."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
