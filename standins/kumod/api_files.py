"""kumo.fs ."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from standins.kumod.errors import KumoError
from standins.kumod.registry import api

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


@api("kumo.fs.read_dir")
def read_dir(ctx: LuaContext, path: str) -> list[str]:
    try:
        return [f"{path}/{entry.name}" for entry in sorted(ctx.facts.paths.real(path).iterdir())]
    except OSError as error:
        raise KumoError(f"{path}: {error.strerror} (os error {error.errno})") from None


@api("kumo.fs.uncached_glob")
def glob_files(ctx: LuaContext, pattern: str, base: str | None = None) -> list[str]:
    full = f"{base}/{pattern}" if base else pattern
    real = str(ctx.facts.paths.real(full))
    cut = len(real) - len(full)
    return [found[cut:] for found in sorted(glob.glob(real, recursive=True))]  # noqa: PTH207 - absolute
