"""kumo.memoize: results shared by all contexts, with a life, a capacity and an epoch."""

import json
from collections import OrderedDict
from typing import Any, NamedTuple

from standins.kumod.durations import seconds
from standins.kumod.facts import KumodFacts
from standins.kumod.objects import LuaObject


class _Entry(NamedTuple):
    value: Any
    version: int
    expires: float
    epoch: int


class Cache(LuaObject):
    """The results of a memoized function; contexts that memoize under one name share them."""

    kind = "MemoizeCache"

    def __init__(self, facts: KumodFacts, options: dict[str, Any]) -> None:
        self.name = options["name"]
        self._facts = facts
        self._ttl = seconds(options, "ttl", 0.0)
        self._capacity = max(1, int(options["capacity"]))
        self._with_epoch = bool(options.get("invalidate_with_epoch"))
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._versions = 0

    def lookup(self, args: tuple[Any, ...]) -> dict[str, Any]:
        """The key of a result, and its version if there is one."""
        key = json.dumps(args, default=str)
        entry = self._entries.get(key)
        old = entry is not None and self._with_epoch and entry.epoch != self._facts.epoch
        if entry is None or entry.expires <= self._facts.now() or old:
            return {"key": key}
        self._entries.move_to_end(key)
        return {"key": key, "version": entry.version}

    def value(self, key: str) -> Any:
        return self._entries[key].value if key in self._entries else None

    def store(self, key: str, value: Any) -> int:
        """Its version."""
        self._versions += 1
        expires = self._facts.now() + self._ttl
        self._entries[key] = _Entry(value, self._versions, expires, self._facts.epoch)
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        return self._versions
