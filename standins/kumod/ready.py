"""Ready queues: messages that go now, by source and site."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from standins.kumod.durations import Throttle, parse_duration, parse_throttle
from standins.kumod.logs import Response
from standins.kumod.lua_session import LuaSession
from standins.kumod.message import Message, QueueName
from standins.kumod.sessions import ConnectFailure, Context, DeliverError, Final, MaildirSession
from standins.kumod.smtp_session import SmtpSession

if TYPE_CHECKING:
    from standins.kumod.engine import Kumod

_IDLE_TIMEOUT = 60.0


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


class Dispatcher:
    """Empties ready queues through sessions."""

    def __init__(self, engine: Kumod) -> None:
        self._engine = engine

    def drain(self, queue: ReadyQueue) -> None:
        """Deliver until the queue is empty or its rate says wait."""
        while queue.messages and not self._throttled(queue):
            session = queue.session
            if session is None:
                session = queue.session = self._open(queue)
            batch = self._take(queue, self._size(queue, session))
            queue.last_used = self._engine.clock.now()
            try:
                self._attempt(queue, session, batch)
            finally:
                self._engine.settle_logs()

    def _size(self, queue: ReadyQueue, session: Any) -> int:
        """A sender that names no least number takes one as soon as it is there."""
        sender = queue.protocol.get("custom_lua") or {}
        return int(session.batch_size) if int(sender.get("min_batch_size", 1)) > 1 else 1

    def _take(self, queue: ReadyQueue, size: int) -> list[Message]:
        batch: list[Message] = []
        while queue.messages and len(batch) < size:
            batch.append(queue.messages.popleft())
        return batch

    def _attempt(self, queue: ReadyQueue, session: Any, batch: list[Message]) -> None:
        try:
            session.connect()
        except ConnectFailure as failure:
            self.drop(queue)
            text = f"KumoMTA internal: failed to connect to any candidate hosts: {failure}"
            self._fail(queue, batch, text, session.session_id)
            return
        except Final as final:
            self.drop(queue)
            self._answer_all(queue, batch, final.response, session.session_id)
            return
        try:
            session.deliver(batch)
        except DeliverError as error:
            text = f"KumoMTA internal: error in deliver_message: {error}"
            self._fail(queue, batch, text, session.session_id)

    def _fail(self, queue: ReadyQueue, batch: list[Message], text: str, session_id: str) -> None:
        context = Context(engine=self._engine, queue=queue, session_id=session_id)
        response = Response(code=400, content=text)
        for message in batch:
            context.log("TransientFailure", message, response,
                        delivery_protocol=_protocol_name(queue))  # fmt: skip
            self._engine.requeue(message, response)

    def _answer_all(
        self, queue: ReadyQueue, batch: list[Message], response: Response, session_id: str
    ) -> None:
        context = Context(engine=self._engine, queue=queue, session_id=session_id)
        messages = [*batch, *self._take(queue, len(queue.messages))]
        for message in messages:
            context.settle(message, response, delivery_protocol=_protocol_name(queue))

    def _open(self, queue: ReadyQueue) -> Any:
        context = Context(engine=self._engine, queue=queue)
        if "custom_lua" in queue.protocol:
            return LuaSession(context, queue.protocol["custom_lua"], queue.queue_name)
        if "maildir_path" in queue.protocol:
            folder = self._engine.paths.real(queue.protocol["maildir_path"])
            return MaildirSession(context, folder)
        parts = QueueName.parse(queue.queue_name)
        mx_list = (queue.protocol.get("smtp") or {}).get("mx_list") or []
        return SmtpSession(context, parts.routing_domain or parts.domain, list(mx_list))

    def drop(self, queue: ReadyQueue) -> None:
        """Close the session; the next message opens another."""
        session, queue.session = queue.session, None
        if session is not None:
            session.close()

    def _throttled(self, queue: ReadyQueue) -> bool:
        now = self._engine.clock.now()
        if queue.blocked_until > now or self._gathering(queue, now):
            return True
        rates = {f"{queue.name}-message-rate": queue.path.get("max_message_rate")}
        rates |= queue.path.get("additional_message_rate_throttles") or {}
        for key, text in rates.items():
            throttle = parse_throttle(text) if text else None
            if not isinstance(throttle, Throttle):
                continue
            delay = self._engine.throttles.delay(key, throttle, now)
            if delay >= queue.idle_timeout:
                for message in self._take(queue, len(queue.messages)):
                    self._engine.scheduler.postpone(message, delay)
                return True
            if delay > 0:
                queue.blocked_until = now + delay
                return True
        return False

    def _gathering(self, queue: ReadyQueue, now: float) -> bool:
        """A sender with a least size of batch waits for it, but not longer than its latency."""
        settings = queue.protocol.get("custom_lua") or {}
        latency = parse_duration(settings.get("max_batch_latency", 0)) or 0.0
        if queue.has_batch or latency == 0 or 0 < queue.gathers_until <= now:
            queue.gathers_until = 0.0
            return False
        queue.gathers_until = queue.gathers_until or now + latency
        return True

    def close_idle(self, queue: ReadyQueue, now: float) -> None:
        """Give up a session that nobody used for its idle time-out."""
        if queue.session is not None and now - queue.last_used >= queue.idle_timeout:
            self.drop(queue)


def _protocol_name(queue: ReadyQueue) -> str:
    if "custom_lua" in queue.protocol:
        return "Lua"
    return "Maildir" if "maildir_path" in queue.protocol else "ESMTP"
