"""What the listeners ask of a running kumod."""

from __future__ import annotations

import fnmatch
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from standins.kumod.engine import Kumod
from standins.kumod.logs import Disposition, Response
from standins.kumod.message import QueueName
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

    def bounce(self, request: Mapping[str, Any]) -> dict[str, int]:
        """kcli bounce: fail the waiting messages that the request describes."""

        def wanted(message: Any) -> bool:
            parts = QueueName.parse(message.queue_name())
            return all(
                request.get(name) in (None, getattr(parts, name))
                for name in ("domain", "tenant", "campaign", "routing_domain")
            ) and all(
                fnmatch.fnmatch(message.queue_name(), name)
                for name in request.get("queue_names") or []
            )

        counts: Counter[str] = Counter()
        for message in self.engine.scheduler.drain_scheduled(wanted):
            counts[message.queue_name()] += 1
            if not request.get("suppress_logging"):
                content = f"Administrator bounced with reason: {request['reason']}"
                response = Response(code=551, enhanced=(5, 7, 1), content=content)
                self.engine.log(Disposition(kind="AdminBounce", message=message, response=response))
            self.engine.failed(message)
        self.engine.settle_logs()
        return dict(counts)


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
