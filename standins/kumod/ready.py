"""A ready queue: messages that go now, by source and site."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from standins.kumod.durations import parse_duration
from standins.kumod.message import Message

_IDLE_TIMEOUT = 5.0


@dataclass(kw_only=True, eq=False)
class ReadyQueue:
    """The messages for one site through one source."""

    name: str
    queue_name: str
    pool: str
    source: dict[str, Any]
    path: dict[str, Any]
    protocol: dict[str, Any]
    refreshed: float
    epoch: int
    messages: deque[Message] = field(default_factory=deque)
    session: Any = None
    last_used: float = 0.0
    blocked_until: float = 0.0
    gathers_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, fresh: ReadyQueue) -> bool:
        """Take over the settings; whether an open session no longer fits them."""
        changed = self.protocol != fresh.protocol
        self.pool, self.path = fresh.pool, fresh.path
        self.protocol, self.refreshed, self.epoch = fresh.protocol, fresh.refreshed, fresh.epoch
        return changed

    @property
    def busy(self) -> bool:
        """Such a queue keeps the source that it was made with; only an idle one is given up."""
        return bool(self.messages) or self.session is not None

    @property
    def has_batch(self) -> bool:
        """Whether a custom Lua sender is called now: with as many messages as it asks for at least.

        kumod fills a batch up to its size and then compares, so that a least number above the size
        is never reached.
        """
        sender = self.protocol.get("custom_lua") or {}
        held = min(len(self.messages), int(sender.get("batch_size", 1)))
        return held >= int(sender.get("min_batch_size", 1))

    @property
    def waits_until(self) -> float:
        """When there is something to do again."""
        return max(self.blocked_until, 0.0 if self.has_batch else self.gathers_until)

    @property
    def idle_timeout(self) -> float:
        return parse_duration(self.path["idle_timeout"]) or _IDLE_TIMEOUT
