"""kumo.memoize: results shared by all contexts, with a lifetime, a capacity and an epoch."""

import itertools
import json
from collections import OrderedDict
from typing import Any

from standins.kumod.durations import seconds
from standins.kumod.facts import KumodFacts
from standins.kumod.objects import LuaObject


class Cache(LuaObject):
    """The results of a memoized function; contexts that memoize under one name share them."""

    kind = "MemoizeCache"

    def __init__(self, facts: KumodFacts, options: dict[str, Any]) -> None:
        self.name = options["name"]
        self._facts = facts
        self._ttl = seconds(options, "ttl", 0.0)
        self._capacity = max(1, int(options["capacity"]))
        self._with_epoch = bool(options.get("invalidate_with_epoch"))
        #: By its key, each result with its version and its end.
        self._entries: OrderedDict[str, tuple[Any, int, float]] = OrderedDict()
        self._versions = itertools.count(1)

    def lookup(self, args: tuple[Any, ...]) -> dict[str, Any]:
        """The key of a result, and its version, if any."""
        epoch = self._facts.epoch if self._with_epoch else None
        key = json.dumps([epoch, *args], default=str)
        _, version, expires = self._entries.get(key, (None, 0, 0.0))
        if expires <= self._facts.now():
            return {"key": key}
        self._entries.move_to_end(key)
        return {"key": key, "version": version}

    def value(self, key: str) -> Any:
        return self._entries[key][0] if key in self._entries else None

    def store(self, key: str, value: Any) -> int:
        version = next(self._versions)
        self._entries[key] = value, version, self._facts.now() + self._ttl
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        return version
