"""Turns what happens to messages into log records, and records into messages for the hooks."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.logs import Disposition, LogFile, make_record, per_record, record_text
from standins.kumod.message import Message
from standins.kumod.pool import ContextPool


class Recorder:
    """Writes records to the logs and hands them to the hooks."""

    def __init__(
        self,
        pool: ContextPool,
        *,
        node_id: str,
        enqueue: Callable[[Message], None],
        wake: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._configuration = pool.configuration
        self._node_id = node_id
        self._enqueue = enqueue
        self._wake = wake
        self.records: list[dict[str, Any]] = []
        self.totals: Counter[tuple[str, str, str | None, str | None]] = Counter()
        self._lock = threading.RLock()
        self._pending: deque[tuple[str, dict[str, Any]]] = deque()

    @property
    def busy(self) -> bool:
        """Whether hooks have records to see."""
        return bool(self._pending)

    def log(self, what: Disposition) -> None:
        """Write a record to every log and hand it to every hook."""
        with self._lock:
            now = self._facts.now()
            self._count(what)
            if not self._facts.threaded:
                self.records.append(self._record(what, {}, now))
            for files in self._configuration.log_files:
                if per_record(files.params, what.kind).get("enable", True):
                    self._write(files, self._record(what, files.params, now), what.message, now)
            for name, params in self._configuration.hooks.items():
                if not per_record(params, what.kind).get("enable", True):
                    continue
                record = self._record(what, params, now)
                # Events about a hook's own messages would make new events for ever.
                if record["reception_protocol"] != "LogRecord":
                    self._pending.append((name, record))
            if self._facts.threaded:
                self._wake()

    def _count(self, what: Disposition) -> None:
        self._facts.counters[f"record:{what.kind}"] += 1
        provider = what.provider or what.site.partition("->")[2].partition("@")[0]
        self.totals[what.kind, provider, what.egress_source, what.egress_pool] += 1

    def _record(self, what: Disposition, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        return make_record(
            what,
            now=now,
            node_id=self._node_id,
            classification=self._configuration.classifier.classify(what.kind, what.response),
            params=params,
        )

    def _write(self, target: LogFile, record: dict[str, Any], message: Message, now: float) -> None:
        event = target.params.get("filter_event")
        if event:
            context = self._pool.get()
            try:
                if not context.call(event, message):
                    return
            except PolicyError as error:
                self._facts.diagnose("ERROR", f"error while calling {event} event: {error.text}")
                return
            finally:
                self._pool.put(context)
        try:
            target.write(record, now)
        except KumoError as error:
            self._facts.diagnose("ERROR", f"failed to log: {error}")

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
                self._facts.diagnose("ERROR", f"failed to log: {error}")

    def _enqueue_record(self, name: str, record: dict[str, Any]) -> None:
        params = self._configuration.hooks[name]
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
            created=self._facts.now(),
            meta={**record["meta"], "log_record": record, "reception_protocol": "LogRecord"},
        )
        context = self._pool.get()
        wanted = context.call("should_enqueue_log_record", message, name)
        self._pool.put(context)
        if wanted is not True:
            return
        self._enqueue(message)
