"""Where the host's paths are: on a host they are themselves, in a test they lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

POLICY = "/opt/kumomta/etc/policy"
SHARE = "/opt/kumomta/share"
_LUA_PATH = "/usr/local/share/lua/5.4/?.lua;./?.lua;./?/init.lua"
OWN_SHARE = Path(__file__).parent / "share"


class HostPaths:
    """Maps a path of the host to the path of this machine."""

    def __init__(
        self, *, root: Path | None = None, mounts: Mapping[str, Path] | None = None
    ) -> None:
        self._root = root
        self._mounts = dict(mounts or {})
        if root is not None and SHARE not in self._mounts and not self._within_root(SHARE).exists():
            self._mounts[SHARE] = OWN_SHARE

    def _within_root(self, path: str) -> Path:
        return Path(f"{self._root}{path}")

    def real(self, path: str | os.PathLike[str]) -> Path:
        """Where a path of the host lies."""
        text = os.fspath(path)
        for mount, target in sorted(self._mounts.items(), key=lambda item: -len(item[0])):
            if text == mount or text.startswith(f"{mount}/"):
                return Path(f"{target}{text[len(mount) :]}")
        if self._root is None or not text.startswith("/") or text.startswith(f"{self._root}/"):
            return Path(text)
        return self._within_root(text)

    def package_path(self) -> str:
        """Lua's search path: what KumoMTA ships, and only then the policy."""
        folders = [self.real(SHARE), self.real(POLICY)]
        own = [f"{folder}/{pattern}" for folder in folders for pattern in ("?.lua", "?/init.lua")]
        return ";".join([*own, _LUA_PATH])
