"""What the listeners ask of a running kumod."""

import time
from typing import Any

from standins.kumod.engine import Kumod
from standins.kumod.metrics import free_percent

_DISK_INTERVAL = 1.0


class Service:
    """An engine, and whether it takes messages now."""

    def __init__(self, engine: Kumod) -> None:
        self.engine = engine
        self.started = False
        self._disk_checked = 0.0
        self._disk_problem: str | None = None

    def not_ready(self) -> str | None:
        """Why no message is taken now."""
        if self.engine.facts.stopping:
            return "shutting down"
        if not self.started:
            return "waiting for spool enumeration"
        now = time.monotonic()
        if now - self._disk_checked > _DISK_INTERVAL:
            self._disk_checked = now
            self._disk_problem = _lowest_free(self.engine)
        return self._disk_problem

    def bounce(self, request: Any) -> str:
        """kcli bounce: ends the waiting messages that are meant; later ones too, until it expires.

        Returns its id. Raises `BadRule`.
        """
        rule = self.engine.scheduler.bounces.add(request)
        self.engine.scheduler.bounce_waiting(rule)
        self.engine.settle_logs()
        return rule.id


def _lowest_free(engine: Kumod) -> str | None:
    """Below a tenth of its disk or inodes kumod takes nothing more."""
    for params in engine.configuration.spools.values():
        folder = engine.facts.paths.real(params["path"])
        space, inodes = free_percent(folder)
        for value, name in ((space, "min_free_space"), (inodes, "min_free_inodes")):
            wanted = params.get(name, "10%")
            least = float(str(wanted).rstrip("%")) if str(wanted).endswith("%") else 0.0
            if value < least:
                return f"{params['path']}: {value}% free is below {name}"
    return None
