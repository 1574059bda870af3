"""Turns what happens to messages into log records, and records into messages for the hooks."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.logs import Response, make_record, per_record, record_text, stamp
from standins.kumod.message import Message
from standins.kumod.pool import ContextPool


class Recorder:
    def __init__(self, pool: ContextPool, enqueue: Callable[[Message], None]) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._configuration = pool.configuration
        self._enqueue = enqueue
        self.records: list[dict[str, Any]] = []
        self.totals: Counter[tuple[str, str, str | None, str | None]] = Counter()
        self._lock = threading.RLock()
        self.pending: deque[tuple[str, dict[str, Any]]] = deque()

    def log(self, kind: str, message: Message, response: Response, /, **fields: Any) -> None:
        """Write a record to every log and hand it to every hook."""
        with self._lock:
            now = self._facts.now()
            self._facts.counters[f"record:{kind}"] += 1
            site = fields.get("site", "").partition("->")[2].partition("@")[0]
            provider = fields.get("provider_name", site)
            egress = fields.get("egress_source"), fields.get("egress_pool")
            self.totals[kind, provider, *egress] += 1
            fields = {
                "timestamp": int(now),
                "bounce_classification": self._configuration.classifier.classify(kind, response),
                "nodeid": self._facts.node_id,
                "event_time": stamp(now),
                **fields,
            }

            def record(params: Mapping[str, Any]) -> dict[str, Any]:
                return make_record(kind, message, response, params, **fields)

            if not self._facts.threaded:
                self.records.append(record({}))
            for files in self._configuration.log_files:
                if per_record(files.params, kind).get("enable", True):
                    try:
                        files.write(record(files.params), now)
                    except KumoError as error:
                        self._facts.diagnose("ERROR", f"failed to log: {error}")
            for name, params in self._configuration.hooks.items():
                # Events about a hook's own messages would make new events for ever.
                own = message.meta.get("reception_protocol") == "LogRecord"
                if not own and per_record(params, kind).get("enable", True):
                    self.pending.append((name, record(params)))
            self._facts.wakeup.set()

    def settle(self) -> None:
        """Let the hooks turn their records into messages."""
        while self.pending:
            try:
                self._enqueue_record(*self.pending.popleft())
            except IndexError:
                return
            except (PolicyError, KumoError) as error:
                self._facts.diagnose("ERROR", f"failed to log: {error}")

    def _enqueue_record(self, name: str, record: dict[str, Any]) -> None:
        text = record_text(self._configuration.hooks[name], record)
        message = Message(
            # kumod parses them again: what is no address loses the event here.
            sender=EnvelopeAddress.parse(record["sender"]),
            recipients=[EnvelopeAddress.parse(record["recipient"])],
            data=text.encode("utf-8", "surrogateescape"),
            created=self._facts.now(),
            meta={**record["meta"], "log_record": record, "reception_protocol": "LogRecord"},
        )
        with self._pool.borrowed() as context:
            wanted = context.call("should_enqueue_log_record", message, name)
        if wanted is True:
            self._enqueue(message)
