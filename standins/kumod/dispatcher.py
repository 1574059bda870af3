"""Empties ready queues."""

from collections.abc import Callable
from typing import Any

from standins.kumod.durations import parse_throttle, seconds
from standins.kumod.lua_session import LuaSession
from standins.kumod.message import Message
from standins.kumod.pool import ContextPool
from standins.kumod.scheduled import Scheduler
from standins.kumod.selection import ReadyQueue
from standins.kumod.sessions import BaseSession, ConnectFailure, DeliverError, Final, MaildirSession
from standins.kumod.smtp_session import SmtpSession
from standins.kumod.smtp_types import Connect


class Dispatcher:
    def __init__(
        self,
        pool: ContextPool,
        open_smtp: Connect,
        scheduler: Scheduler,
        settle_logs: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._open = open_smtp
        self._scheduler = scheduler
        self._settle_logs = settle_logs

    def drain(self, queue: ReadyQueue) -> None:
        """Deliver until the queue is empty or its rate requires a wait."""
        while queue.messages and not self._throttled(queue):
            session = self._session(queue)
            # A sender that names no least number takes one as soon as it is there.
            least = int(queue.sender.get("min_batch_size", 1))
            batch = queue.take(session.batch_size if least > 1 else 1)
            queue.last_used = self._facts.now()
            try:
                self._attempt(queue, session, batch)
            finally:
                self._settle_logs()

    def _attempt(self, queue: ReadyQueue, session: BaseSession, batch: list[Message]) -> None:
        try:
            session.connect()
        except ConnectFailure as failure:
            queue.drop()
            session.fail(batch, f"failed to connect to any candidate hosts: {failure}")
            return
        except Final as final:
            queue.drop()
            for message in [*batch, *queue.take(len(queue.messages))]:
                session.settle(message, final.response)
            return
        try:
            session.deliver(batch)
        except DeliverError as error:
            session.fail(batch, f"error in deliver_message: {error}")

    def _session(self, queue: ReadyQueue) -> BaseSession:
        if isinstance(queue.session, BaseSession):
            return queue.session
        known: dict[str, Any] = {"facts": self._facts, "scheduler": self._scheduler, "queue": queue}
        session: BaseSession
        if queue.sender:
            session = LuaSession(**known, pool=self._pool)
        elif "maildir_path" in queue.protocol:
            session = MaildirSession(**known)
        else:
            session = SmtpSession(**known, open=self._open)
        queue.session = session
        return session

    def _throttled(self, queue: ReadyQueue) -> bool:
        now = self._facts.now()
        if queue.blocked_until > now or self._gathering(queue, now):
            return True
        rates = {f"{queue.name}-message-rate": queue.path.get("max_message_rate")}
        rates |= queue.path.get("additional_message_rate_throttles") or {}
        for key, text in rates.items():
            delay = self._facts.throttles.delay(key, parse_throttle(text), now) if text else 0
            if delay >= queue.idle_timeout:
                for message in queue.take(len(queue.messages)):
                    self._scheduler.postpone(message, delay)
                return True
            if delay > 0:
                queue.blocked_until = now + delay
                return True
        return False

    def _gathering(self, queue: ReadyQueue, now: float) -> bool:
        """A sender with a least size of batch waits for it, but not longer than its latency.

        If it was idle when the first message came, it goes on to the end of its idle time-out.
        """
        latency = seconds(queue.sender, "max_batch_latency", 0.0)
        if queue.has_batch or latency == 0 or 0 < queue.gathers_until <= now:
            queue.gathers_until = 0.0
            return False
        idle = queue.session is not None and queue.last_used < now
        until = queue.last_used + queue.idle_timeout if idle else now + latency
        queue.gathers_until = queue.gathers_until or until
        return True

    def close_idle(self, queue: ReadyQueue, now: float) -> None:
        """Close a session that was idle for longer than its time-out."""
        if queue.session is not None and now - queue.last_used >= queue.idle_timeout:
            queue.drop()
