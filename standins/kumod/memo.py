"""kumo.memoize: results shared by all contexts, with a life, a capacity and an epoch."""

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from standins.kumod.durations import parse_duration
from standins.kumod.objects import LuaObject


@dataclass(kw_only=True)
class _Entry:
    value: Any
    version: int
    expires: float
    epoch: int


class Cache(LuaObject):
    """The cache of one memoized function."""

    kind = "MemoizeCache"

    def __init__(self, name: str) -> None:
        self.name = name
        self.ttl = 60.0
        self.capacity = 1
        self.with_epoch = False
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._versions = 0

    def lookup(self, args: tuple[Any, ...], *, now: float, epoch: int) -> tuple[bool, str, int]:
        key = json.dumps(args, default=str)
        entry = self._entries.get(key)
        if entry is None or entry.expires <= now or (self.with_epoch and entry.epoch != epoch):
            return False, key, 0
        self._entries.move_to_end(key)
        return True, key, entry.version

    def value(self, key: str) -> Any:
        return self._entries[key].value if key in self._entries else None

    def store(self, key: str, value: Any, *, now: float, epoch: int) -> int:
        self._versions += 1
        self._entries[key] = _Entry(
            value=value, version=self._versions, expires=now + self.ttl, epoch=epoch
        )
        self._entries.move_to_end(key)
        while len(self._entries) > self.capacity:
            self._entries.popitem(last=False)
        return self._versions


class MemoCaches:
    """All caches, by name: contexts that memoize under one name share it."""

    def __init__(self) -> None:
        self._caches: dict[str, Cache] = {}

    def cache(self, options: dict[str, Any]) -> Cache:
        name = options["name"]
        cache = self._caches.setdefault(name, Cache(name))
        cache.ttl = parse_duration(options["ttl"]) or 0.0
        cache.capacity = max(1, int(options["capacity"]))
        cache.with_epoch = bool(options.get("invalidate_with_epoch"))
        return cache
