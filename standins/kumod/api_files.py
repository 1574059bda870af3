"""kumo.fs and kumo.secrets."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject
from standins.kumod.registry import api, method

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


@api("kumo.fs.read_dir", "kumo.read_dir")
def read_dir(ctx: LuaContext, path: str) -> list[str]:
    try:
        return [f"{path}/{entry.name}" for entry in sorted(ctx.engine.paths.real(path).iterdir())]
    except OSError as error:
        raise KumoError(f"{path}: {error.strerror} (os error {error.errno})") from None


@api("kumo.fs.glob", "kumo.fs.uncached_glob", "kumo.glob", "kumo.uncached_glob")
def glob_files(ctx: LuaContext, pattern: str, base: str | None = None) -> list[str]:
    full = f"{base}/{pattern}" if base else pattern
    real = str(ctx.engine.paths.real(full))
    cut = len(real) - len(full)
    return [found[cut:] for found in sorted(glob.glob(real, recursive=True))]  # noqa: PTH207 - absolute


@api("kumo.fs.metadata_for_path", "kumo.fs.symlink_metadata_for_path")
def metadata_for_path(ctx: LuaContext, path: str) -> Any:
    try:
        status = ctx.engine.paths.real(path).stat()
    except OSError as error:
        raise KumoError(f"{path}: {error.strerror} (os error {error.errno})") from None
    real = ctx.engine.paths.real(path)
    return {"len": status.st_size, "mtime": status.st_mtime, "is_file": real.is_file(),
            "is_dir": real.is_dir(), "is_symlink": real.is_symlink()}  # fmt: skip


class File(LuaObject):
    """An open file."""

    kind = "File"

    def __init__(self, path: Path, mode: str) -> None:
        try:
            self.handle = path.open(f"{mode.replace('b', '')}b", buffering=0)
        except (OSError, ValueError) as error:
            raise KumoError(f"{path}: {error}") from None


@api("kumo.fs.open")
def fs_open(ctx: LuaContext, path: str, mode: str = "r") -> File:
    ctx.engine.counters["fs.read"] += 1
    return File(ctx.engine.paths.real(path), mode)


@method("File", "read")
def file_read(_ctx: LuaContext, file: File, count: int = -1) -> Any:
    return file.handle.read(int(count))


@method("File", "write")
def file_write(_ctx: LuaContext, file: File, data: Any) -> None:
    raw = data if isinstance(data, bytes) else str(data).encode("utf-8", "surrogateescape")
    file.handle.write(raw)


@method("File", "seek")
def file_seek(_ctx: LuaContext, file: File, whence: str = "cur", offset: int = 0) -> int:
    return file.handle.seek(int(offset), {"set": 0, "cur": 1, "end": 2}[whence])


@method("File", "flush")
def file_flush(_ctx: LuaContext, file: File) -> None:
    file.handle.flush()


@method("File", "close")
def file_close(_ctx: LuaContext, file: File) -> None:
    file.handle.close()


@api("kumo.secrets.load")
def secrets_load(ctx: LuaContext, source: Any) -> bytes:
    return ctx.engine.load_key_source(source)
