"""Empties ready queues."""

from collections.abc import Callable
from typing import Any

from standins.kumod.durations import Throttle, Throttles, parse_duration, parse_throttle
from standins.kumod.logs import Response, new_session_id
from standins.kumod.lua_session import LuaSession
from standins.kumod.message import Message, QueueName
from standins.kumod.pool import ContextPool
from standins.kumod.ready import ReadyQueue
from standins.kumod.sessions import (
    ConnectFailure,
    Context,
    DeliverError,
    Final,
    MaildirSession,
    Outcomes,
)
from standins.kumod.smtp_session import SmtpSession


class Dispatcher:
    """Empties ready queues through sessions."""

    def __init__(
        self,
        pool: ContextPool,
        smtp: Any,
        throttles: Throttles,
        outcomes: Outcomes,
        settle_logs: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._smtp = smtp
        self._throttles = throttles
        self._outcomes = outcomes
        self._settle_logs = settle_logs

    def drain(self, queue: ReadyQueue) -> None:
        """Deliver until the queue is empty or its rate says wait."""
        while queue.messages and not self._throttled(queue):
            session = queue.session
            if session is None:
                session = queue.session = self._open(queue)
            batch = self._take(queue, self._size(queue, session))
            queue.last_used = self._facts.now()
            try:
                self._attempt(queue, session, batch)
            finally:
                self._settle_logs()

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
        context = self._context(queue, session_id)
        response = Response(code=400, content=text)
        for message in batch:
            context.log("TransientFailure", message, response,
                        delivery_protocol=_protocol_name(queue))  # fmt: skip
            self._outcomes.requeue(message, response)

    def _answer_all(
        self, queue: ReadyQueue, batch: list[Message], response: Response, session_id: str
    ) -> None:
        context = self._context(queue, session_id)
        messages = [*batch, *self._take(queue, len(queue.messages))]
        for message in messages:
            context.settle(message, response, delivery_protocol=_protocol_name(queue))

    def _open(self, queue: ReadyQueue) -> Any:
        context = self._context(queue)
        if "custom_lua" in queue.protocol:
            return LuaSession(context, self._pool, queue.protocol["custom_lua"], queue.queue_name)
        if "maildir_path" in queue.protocol:
            folder = self._facts.paths.real(queue.protocol["maildir_path"])
            return MaildirSession(context, folder)
        parts = QueueName.parse(queue.queue_name)
        mx_list = (queue.protocol.get("smtp") or {}).get("mx_list") or []
        return SmtpSession(context, self._smtp, parts.routing_domain or parts.domain, list(mx_list))

    def _context(self, queue: ReadyQueue, session_id: str | None = None) -> Context:
        return Context(
            facts=self._facts,
            outcomes=self._outcomes,
            queue=queue,
            session_id=session_id or new_session_id(),
        )

    def drop(self, queue: ReadyQueue) -> None:
        """Close the session; the next message opens another."""
        session, queue.session = queue.session, None
        if session is not None:
            session.close()

    def _throttled(self, queue: ReadyQueue) -> bool:
        now = self._facts.now()
        if queue.blocked_until > now or self._gathering(queue, now):
            return True
        rates = {f"{queue.name}-message-rate": queue.path.get("max_message_rate")}
        rates |= queue.path.get("additional_message_rate_throttles") or {}
        for key, text in rates.items():
            throttle = parse_throttle(text) if text else None
            if not isinstance(throttle, Throttle):
                continue
            delay = self._throttles.delay(key, throttle, now)
            if delay >= queue.idle_timeout:
                for message in self._take(queue, len(queue.messages)):
                    self._outcomes.postpone(message, delay)
                return True
            if delay > 0:
                queue.blocked_until = now + delay
                return True
        return False

    def _gathering(self, queue: ReadyQueue, now: float) -> bool:
        """A sender with a least size of batch waits for it, but not longer than its latency.

        If it was idle when the first message came, it goes on to the end of its idle time-out.
        """
        settings = queue.protocol.get("custom_lua") or {}
        latency = parse_duration(settings.get("max_batch_latency", 0)) or 0.0
        if queue.has_batch or latency == 0 or 0 < queue.gathers_until <= now:
            queue.gathers_until = 0.0
            return False
        idle = queue.session is not None and queue.last_used < now
        until = queue.last_used + queue.idle_timeout if idle else now + latency
        queue.gathers_until = queue.gathers_until or until
        return True

    def close_idle(self, queue: ReadyQueue, now: float) -> None:
        """Give up a session that nobody used for its idle time-out."""
        if queue.session is not None and now - queue.last_used >= queue.idle_timeout:
            self.drop(queue)


def _protocol_name(queue: ReadyQueue) -> str:
    if "custom_lua" in queue.protocol:
        return "Lua"
    return "Maildir" if "maildir_path" in queue.protocol else "ESMTP"
