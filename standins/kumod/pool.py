"""The pool of Lua contexts, and the configuration epoch that expires them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from standins.kumod.configuration import Configuration
from standins.kumod.lua import LuaContext


class ContextPool:
    """Contexts are reused until they are too old, used too often, or of an older epoch."""

    def __init__(
        self,
        configuration: Configuration,
        policy: str,
        *,
        proxy: bool = False,
        max_context_age: float = 300.0,
        max_context_uses: int = 1024,
    ) -> None:
        self.configuration = configuration
        self.facts = configuration.facts
        self._policy = policy
        self._proxy = proxy
        self._max_age = max_context_age
        self._max_uses = max_context_uses
        self._spare: list[LuaContext] = []
        self._lock = threading.Lock()

    def get(self) -> LuaContext:
        """An idle context, or a new one in which the policy is executed again."""
        while True:
            with self._lock:
                context = self._spare.pop() if self._spare else None
            if context is None:
                return self.fresh()
            if self._usable(context):
                context.uses += 1
                return context

    @contextmanager
    def borrowed(self) -> Iterator[LuaContext]:
        """A context that is returned to the pool, unless an error ends its use."""
        context = self.get()
        yield context
        self.put(context)

    def fresh(self) -> LuaContext:
        """A new context: the policy's top level runs in it."""
        self.facts.counters["lua.context"] += 1
        context = LuaContext(self.configuration, proxy=self._proxy)
        context.load_policy(self.facts.paths.real(self._policy), self._policy)
        return context

    def put(self, context: LuaContext) -> None:
        if self._usable(context):
            with self._lock:
                self._spare.append(context)

    def _usable(self, context: LuaContext) -> bool:
        age = self.facts.now() - context.created
        young = age < self._max_age and context.uses < self._max_uses
        return young and context.epoch == self.facts.epoch


class ConfigMonitor:
    """Notices changed files, as kumod does every ten seconds."""

    INTERVAL = 10.0

    def __init__(self, configuration: Configuration) -> None:
        self._facts = facts = configuration.facts
        self._configuration = configuration
        self._seen: dict[str, tuple[float, int, int]] = {}
        self.due = facts.now() + self.INTERVAL

    def files(self) -> list[str]:
        """By globs of the form ``folder/**/*.{lua,json}``; links are followed."""
        found: set[str] = set()
        for pattern in self._configuration.monitored:
            base, _, tail = pattern.partition("*")
            endings = tuple(f".{name}" for name in tail.partition("{")[2].rstrip("}").split(","))
            for root, _, names in os.walk(self._facts.paths.real(base), followlinks=True):
                found |= {f"{root}/{name}" for name in names if name.endswith(endings)}
        return sorted(found)

    def _state(self) -> dict[str, tuple[float, int, int]]:
        state = {}
        for path in self.files():
            try:
                status = Path(path).stat()
            except OSError:
                continue
            state[path] = (status.st_mtime, status.st_size, status.st_ino)
        return state

    def remember(self) -> None:
        self._seen = self._state()

    def check(self) -> bool:
        before = self._seen
        self.remember()
        self.due = self._facts.now() + self.INTERVAL
        return before != self._seen
