"""The source that a message uses, and ready queues: what can go now, by source and site."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from standins.kumod import decisions
from standins.kumod.durations import parse_throttle, seconds
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.facts import Moment
from standins.kumod.message import Message, QueueName
from standins.kumod.pool import ContextPool

_IDLE_TIMEOUT = 5.0


class Session(Protocol):
    """What a queue knows of the path of its messages."""

    def close(self) -> None: ...


@dataclass(kw_only=True, eq=False)
class ReadyQueue:
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
        """Apply new settings; a busy queue keeps its source."""
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
        """When there is work again."""
        return max(self.blocked_until, 0.0 if self.has_batch else self.gathers_until)

    @property
    def idle_timeout(self) -> float:
        return seconds(self.path, "idle_timeout", _IDLE_TIMEOUT)


class NotReady(Exception):
    """No source can take the message now."""

    def __init__(self, text: str, pool: str | None) -> None:
        super().__init__(text)
        self.pool = pool


@dataclass(kw_only=True)
class ScheduledQueue:
    """A queue's settings at their last refresh."""

    name: str
    config: dict[str, Any]
    pool: dict[str, Any]
    since: Moment
    turn: tuple[int, int] = (0, 0)

    def seconds(self, field: str, otherwise: float = 0.0) -> float:
        return seconds(self.config, field, otherwise)


def stale(settings: dict[str, Any], since: Moment, now: Moment) -> bool:
    """Whether to ask the policy again for the settings of a queue or path."""
    if settings.get("refresh_strategy") == "Epoch":
        return since[1] != now[1]
    return now[0] - since[0] >= seconds(settings, "refresh_interval", 60.0)


class SourceSelector:
    def __init__(self, pool: ContextPool) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._lock = threading.Lock()
        self.ready: dict[str, ReadyQueue] = {}

    def insert(self, queue: ScheduledQueue, message: Message, now: float) -> None:
        """Put the message into a ready queue. Raises `NotReady`."""
        entries = [entry for entry in queue.pool["entries"] if entry.get("weight", 1) > 0]
        pool = queue.pool["name"]
        limited = False
        while entries:
            source = self._next_source(queue, entries)
            try:
                ready = self._ready_queue(queue, source)
            except (KumoError, PolicyError) as error:
                text = f"failed to resolve queue {queue.name}: {error}"
                raise NotReady(text, None) from None
            if self._selection_delay(ready, source, now) == 0:
                ready.messages.append(message)
                self._facts.wakeup.set()
                return
            limited = True
            entries = [entry for entry in entries if entry["name"] != source]
        problem = f"no sources available for {queue.name} pool=`{pool}`"
        if limited:
            problem = (
                f"no sources for {queue.name} pool=`{pool}` are eligible for selection at this time"
            )
        raise NotReady(f"KumoMTA internal: {problem}", pool)

    def _selection_delay(self, ready: ReadyQueue, source: str, now: float) -> float:
        """How long the source's own rates exclude it; the slowest is asked first."""
        own = f"kumomta.source_selection_rate.{ready.name}.{source}"
        rates = {own: ready.path.get("source_selection_rate")}
        rates |= ready.path.get("additional_source_selection_rates") or {}
        throttles = [(key, parse_throttle(text)) for key, text in rates.items() if text]
        for key, throttle in sorted(throttles, key=lambda item: item[1].limit / item[1].period):
            delay = self._facts.throttles.delay(key, throttle, now)
            if delay > 0:
                return delay
        return 0.0

    def _ready_queue(self, queue: ScheduledQueue, source_name: str) -> ReadyQueue:
        parts = QueueName.parse(queue.name)
        routing = parts.routing_domain or parts.domain
        protocol = queue.config["protocol"]
        site = decisions.site_for_queue(self._facts.resolver, routing, protocol)
        name = f"{source_name}->{site}@{_protocol_suffix(protocol)}"
        now = self._facts.moment()
        existing = self.ready.get(name)
        if existing is not None and not stale(existing.path, existing.since, now):
            return existing
        with self._pool.borrowed() as context:
            source = decisions.egress_source(context, source_name).data
            path = dict(decisions.egress_path(context, routing, source_name, site).data)
        fresh = ReadyQueue(
            name=name,
            queue_name=queue.name,
            pool=queue.pool["name"],
            source=source,
            path=path,
            protocol=protocol,
            since=now,
        )
        kept = self.ready.setdefault(name, fresh)
        kept.refresh(fresh)
        return kept

    def _next_source(self, queue: ScheduledQueue, entries: list[dict[str, Any]]) -> str:
        """Weighted round robin in kumod's order, for each queue separately."""
        if len(entries) == 1:
            return str(entries[0]["name"])
        weights = [int(entry.get("weight", 1)) for entry in entries]
        with self._lock:
            index, weight = queue.turn
            while True:
                index = (index + 1) % len(entries)
                if index == 0:
                    weight = max(0, weight - math.gcd(*weights)) or max(weights)
                if weights[index] >= weight:
                    queue.turn = (index, weight)
                    return str(entries[index]["name"])


def _protocol_suffix(protocol: dict[str, Any]) -> str:
    if "custom_lua" in protocol:
        return f"lua:{protocol['custom_lua']['constructor']}"
    return "maildir" if "maildir_path" in protocol else "smtp_client"
