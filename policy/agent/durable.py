"""Writing that a power cut cannot tear."""

import contextlib
import ctypes
import json
import os
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)


def sync_directory(path: Path) -> None:
    """Make the directory's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(path: Path) -> None:
    """Make all that was written to this file system durable; the spool's is left alone."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)


def write_json(path: Path, data: Any) -> None:
    """Replace a file of the agent's own state by one rename."""
    write_bytes(path, json.dumps(data, sort_keys=True).encode())


def write_bytes(
    path: Path, content: bytes, *, mode: int = 0o600, uid: int = -1, gid: int = -1
) -> None:
    """Replace a file by one rename; mode and owner are set before there is content."""
    partial = path.with_name(f".{path.name}.ping8-new")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    try:
        create(partial, content, mode=mode, uid=uid, gid=gid, sync=True)
        partial.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    sync_directory(path.parent)


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


def replace_link(path: Path, target: str) -> None:
    """Point a link elsewhere by one rename."""
    partial = path.with_name(f".{path.name}.ping8-new")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    partial.symlink_to(target)
    partial.rename(path)
    sync_directory(path.parent)


def read_json(path: Path) -> Any:
    """The data, or None where there is no file or it is not JSON."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
