"""The pool of Lua contexts, and the configuration epoch that makes them old."""

import os
import threading
from pathlib import Path

from standins.kumod.configuration import Configuration
from standins.kumod.lua import LuaContext


class ContextPool:
    """Contexts are reused until they are too old, too used, or of an older epoch."""

    def __init__(
        self,
        configuration: Configuration,
        policy: str,
        *,
        modules: tuple[str, ...] = (),
        max_age: float = 300.0,
        max_uses: int = 1024,
    ) -> None:
        self.configuration = configuration
        self.facts = configuration.facts
        self._policy = policy
        self._modules = modules
        self._spare: list[LuaContext] = []
        self._lock = threading.Lock()
        self.max_age = max_age
        self.max_uses = max_uses
        self.max_spare = 8192

    def get(self) -> LuaContext:
        """A spare context, or a new one in which the policy is executed again."""
        while True:
            with self._lock:
                context = self._spare.pop() if self._spare else None
            if context is None:
                return self.fresh()
            if self._usable(context):
                context.uses += 1
                return context

    def fresh(self) -> LuaContext:
        """A new context: the policy's top level runs in it."""
        self.facts.counters["lua.context"] += 1
        context = LuaContext(self.configuration, modules=self._modules)
        context.load_policy(self.facts.paths.real(self._policy), self._policy)
        context.uses = 1
        return context

    def put(self, context: LuaContext) -> None:
        if not self._usable(context):
            return
        with self._lock:
            if len(self._spare) < self.max_spare:
                self._spare.append(context)

    def clear(self) -> None:
        with self._lock:
            self._spare.clear()

    def _usable(self, context: LuaContext) -> bool:
        age = self.facts.now() - context.created
        return (
            context.uses < self.max_uses
            and age < self.max_age
            and context.epoch == self.facts.epoch
        )


class ConfigMonitor:
    """Notices changed files, as kumod does every ten seconds."""

    INTERVAL = 10.0

    def __init__(self, configuration: Configuration) -> None:
        self._facts = facts = configuration.facts
        self._configuration = configuration
        self._seen: dict[str, tuple[float, int, int]] = {}
        self.due = facts.now() + self.INTERVAL

    def files(self) -> list[str]:
        """The files that the globs name."""
        return sorted(
            {path for pattern in self._configuration.monitored for path in self._expand(pattern)}
        )

    def _expand(self, pattern: str) -> list[str]:
        base, _, tail = pattern.partition("*")
        suffixes = tuple(tail.rpartition("{")[2].rstrip("}").split(",")) if "{" in tail else ()
        found = []
        folder = self._facts.paths.real(base.rstrip("/"))
        for root, _, names in os.walk(folder, followlinks=True):
            for name in names:
                ending = name.rpartition(".")[2]
                if (ending in suffixes) if suffixes else name.endswith(tail.rpartition("*")[2]):
                    found.append(str(Path(root) / name))
        policy = self._facts.paths.real("/opt/kumomta/etc/policy")
        if folder not in (policy, *policy.parents) and base.startswith("/opt/kumomta/etc"):
            found += [str(path) for path in policy.glob("**/*") if path.is_file()]
        return found

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
        """Take the present state as known."""
        self._seen = self._state()

    def check(self) -> bool:
        """Whether something changed since the last look."""
        state = self._state()
        changed = state != self._seen
        self._seen = state
        self.due = self._facts.now() + self.INTERVAL
        return changed
