"""A ready queue: messages that go now, by source and site."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from standins.kumod.durations import seconds
from standins.kumod.facts import Moment
from standins.kumod.message import Message

_IDLE_TIMEOUT = 5.0


class Session(Protocol):
    """What a queue knows of the way by which its messages go."""

    def close(self) -> None: ...


@dataclass(kw_only=True, eq=False)
class ReadyQueue:
    """The messages for one site through one source."""

    name: str
    queue_name: str
    pool: str
    source: dict[str, Any]
    path: dict[str, Any]
    protocol: dict[str, Any]
    since: Moment
    messages: deque[Message] = field(default_factory=deque)
    session: Session | None = None
    last_used: float = 0.0
    blocked_until: float = 0.0
    gathers_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, fresh: ReadyQueue) -> None:
        """Take over settings; a queue that is busy keeps the source that it was made with."""
        if not self.messages and self.session is None:
            self.source = fresh.source
        changed = self.protocol != fresh.protocol
        self.pool, self.path, self.protocol = fresh.pool, fresh.path, fresh.protocol
        self.since = fresh.since
        if changed:
            self.drop()

    def take(self, most: int) -> list[Message]:
        return [self.messages.popleft() for _ in range(min(most, len(self.messages)))]

    def drop(self) -> None:
        """Close the session; the next message opens another."""
        session, self.session = self.session, None
        if session is not None:
            session.close()

    @property
    def sender(self) -> dict[str, Any]:
        """The settings of a custom Lua sender."""
        return self.protocol.get("custom_lua") or {}

    @property
    def has_batch(self) -> bool:
        """Whether a custom Lua sender is called now: with as many messages as it asks for at least.

        kumod fills a batch up to its size and then compares, so that a least number above the size
        is never reached.
        """
        held = min(len(self.messages), int(self.sender.get("batch_size", 1)))
        return held >= int(self.sender.get("min_batch_size", 1))

    @property
    def waits_until(self) -> float:
        """When there is something to do again."""
        return max(self.blocked_until, 0.0 if self.has_batch else self.gathers_until)

    @property
    def idle_timeout(self) -> float:
        return seconds(self.path, "idle_timeout", _IDLE_TIMEOUT)
