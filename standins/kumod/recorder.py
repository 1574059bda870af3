"""Turns what happens to messages into log records, and records into messages for the hooks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.logs import Disposition, LogFile, make_record, per_record, record_text
from standins.kumod.message import Message

if TYPE_CHECKING:
    from standins.kumod.engine import Kumod


class Recorder:
    """Writes records to the logs and hands them to the hooks."""

    def __init__(self, engine: Kumod) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._pending: deque[tuple[str, dict[str, Any]]] = deque()

    @property
    def busy(self) -> bool:
        """Whether hooks have records to see."""
        return bool(self._pending)

    def log(self, what: Disposition) -> None:
        """Write a record to every log and hand it to every hook."""
        engine = self._engine
        with self._lock:
            now = engine.clock.now()
            self._count(what)
            if not engine.threaded:
                engine.records.append(self._record(what, {}, now))
            for files in engine.log_files:
                if per_record(files.params, what.kind).get("enable", True):
                    self._write(files, self._record(what, files.params, now), what.message, now)
            for name, params in engine.hooks.items():
                if not per_record(params, what.kind).get("enable", True):
                    continue
                record = self._record(what, params, now)
                # Events about a hook's own messages would make new events for ever.
                if record["reception_protocol"] != "LogRecord":
                    self._pending.append((name, record))
            if engine.threaded:
                engine.wake()

    def _count(self, what: Disposition) -> None:
        self._engine.counters[f"record:{what.kind}"] += 1
        provider = what.provider or what.site.partition("->")[2].partition("@")[0]
        self._engine.totals[what.kind, provider, what.egress_source, what.egress_pool] += 1

    def _record(self, what: Disposition, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        return make_record(
            what,
            now=now,
            node_id=self._engine.node_id,
            classification=self._engine.classifier.classify(what.kind, what.response),
            params=params,
        )

    def _write(self, target: LogFile, record: dict[str, Any], message: Message, now: float) -> None:
        event = target.params.get("filter_event")
        if event:
            context = self._engine.pool.get()
            try:
                if not context.call(event, message):
                    return
            except PolicyError as error:
                self._engine.diagnose("ERROR", f"error while calling {event} event: {error.text}")
                return
            finally:
                self._engine.pool.put(context)
        try:
            target.write(record, now)
        except KumoError as error:
            self._engine.diagnose("ERROR", f"failed to log: {error}")

    def settle(self) -> None:
        """Let the hooks turn their records into messages."""
        while self._pending:
            try:
                name, record = self._pending.popleft()
            except IndexError:
                return
            try:
                self._enqueue_record(name, record)
            except (PolicyError, KumoError) as error:
                self._engine.diagnose("ERROR", f"failed to log: {error}")

    def _enqueue_record(self, name: str, record: dict[str, Any]) -> None:
        params = self._engine.hooks[name]
        text = record_text(params, record)
        listed = record["recipient"]
        # kumod parses them again: what is no address loses the event here.
        recipients = [
            EnvelopeAddress.parse(address)
            for address in (listed if isinstance(listed, list) else [listed])
        ]
        message = Message(
            sender=EnvelopeAddress.parse(record["sender"]),
            recipients=recipients,
            data=text.encode("utf-8", "surrogateescape"),
            created=self._engine.clock.now(),
            meta={**record["meta"], "log_record": record, "reception_protocol": "LogRecord"},
        )
        context = self._engine.pool.get()
        wanted = context.call("should_enqueue_log_record", message, name)
        self._engine.pool.put(context)
        if wanted is not True:
            return
        queue_name = message.queue_name()
        if queue_name != "null":
            self._engine.scheduler.resolve(queue_name)
        self._engine.spool.save(message)
        self._engine.scheduler.insert(message, context="Received")
