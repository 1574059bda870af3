"""Converts kumod's `/metrics.json` to our metrics.

For each metric, `/metrics.json` has a number, a table by the values of its one label, or a list
of tables with the labels and the number under `@`; a counter that never counted is absent. Counters
of a queue vanish with it and start again at 0.
"""

import math
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from hostagent.contract import AUTOMATION_QUEUE, EVENT_QUEUE, TRANSFER_QUEUE
from hostagent.metrics.configuration import Config
from hostagent.metrics.model import Counter, Metric, Oldest
from hostagent.web import Deadline, WebError, get, get_json

_UUID_EPOCH = 0x01B21DD213814000
"""1582-10-15 to 1970-01-01 in units of 100 ns."""

_FULLEST, _IN_TURN, _SAMPLE = 4, 4, 50
_RECEIVERS = ("http_listener", "esmtp_listener")
_DISPOSITIONS = (("delivered", "delivered"), ("deferred", "transfail"), ("bounced", "fail"))

Metrics = Mapping[str, Any]


def liveness(config: Config, deadline: Deadline) -> tuple[Metric, Metric]:
    """Whether kumod answers at all, and whether it accepts mail."""
    try:
        status, _ = get(f"{config.kumod}/api/check-liveness/v1", deadline)
    except WebError:
        status = 0
    return (
        Metric("kumod_up", float(status > 0), "None"),
        Metric("kumod_accepting", float(status == 200), "None"),
    )


def refusal(config: Config, deadline: Deadline) -> str:
    """What its liveness check says, as text."""
    return get(f"{config.kumod}/api/check-liveness/v1", deadline)[1].decode("utf-8", "replace")


def metrics(config: Config, deadline: Deadline) -> dict[str, Any]:
    """All of kumod's metrics."""
    answer = get_json(f"{config.kumod}/metrics.json", deadline)
    if not isinstance(answer, dict):
        raise WebError("kumod's metrics are not a table")
    return answer


def rows(metrics: Metrics, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and number of each entry of a metric; none if kumod does not have it.

    An entry without a number is left out, and a label without text is empty: one odd row must not
    hide the others.
    """
    entry = metrics.get(name)
    value = entry.get("value") if isinstance(entry, Mapping) else None
    if (number := _number(value)) is not None:
        yield {}, number
    elif isinstance(value, Mapping):
        for label, entries in value.items():
            for text, found in entries.items() if isinstance(entries, Mapping) else ():
                if (number := _number(found)) is not None:
                    yield {label: text}, number
    elif isinstance(value, list):
        for row in value:
            if isinstance(row, Mapping) and (number := _number(row.get("@"))) is not None:
                yield {key: _text(text) for key, text in row.items() if key != "@"}, number


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def total(metrics: Metrics, name: str) -> float:
    """The sum over all labels; 0 if kumod does not have it."""
    return sum(number for _, number in rows(metrics, name))


def by_label(metrics: Metrics, name: str, label: str) -> dict[str, float]:
    """A metric's numbers by its one label."""
    return {labels[label]: number for labels, number in rows(metrics, name) if label in labels}


def events_scheduled(metrics: Metrics) -> float:
    """Events in the scheduled queue."""
    return by_label(metrics, "scheduled_by_domain", "domain").get(EVENT_QUEUE, 0.0)


def is_mail(queue: str) -> bool:
    """Not a queue of events, nor of records for automation."""
    return EVENT_QUEUE not in queue and AUTOMATION_QUEUE not in queue


def events_ready(metrics: Metrics) -> float:
    """Events in the ready queue."""
    services = by_label(metrics, "ready_count", "service")
    return sum(n for name, n in services.items() if "->" in name and EVENT_QUEUE in name)


def gauges(metrics: Metrics) -> Iterator[Metric]:
    """States of kumod."""
    domains = by_label(metrics, "scheduled_by_domain", "domain")
    others = sum(n for name, n in domains.items() if not is_mail(name))
    scheduled = total(metrics, "scheduled_count_total") - others
    # Each queue is listed, and also the sum for each kind of queue.
    services = by_label(metrics, "ready_count", "service")
    ready = sum(n for name, n in services.items() if "->" in name and is_mail(name))
    yield Metric("messages_scheduled", max(0.0, scheduled), "Count")
    yield Metric("messages_ready", ready, "Count")
    paused = total(metrics, "egress_source_health_suspended")
    yield Metric("sources_paused", paused, "Count")
    limit = total(metrics, "memory_limit")
    if limit > 0:
        used = 100.0 * total(metrics, "memory_usage") / limit
        yield Metric("memory_used_percent", used, "Percent")


def counters(metrics: Metrics, config: Config) -> Iterator[Counter]:
    """kumod's counters; a missing one counts as 0."""
    received = by_label(metrics, "total_messages_received", "service")
    for service in _RECEIVERS:
        yield _plain(f"received {service}", received.get(service, 0.0), "messages_received")
    for metric, kumod in _DISPOSITIONS:
        yield from _dispositions(metrics, config, metric, kumod)
    for name in ("proxy_connection_failures", "bind_failures"):
        yield _plain(name, total(metrics, name), name)
    for name in ("log_hook_backlog_count", "log_submit_full"):
        yield _plain(name, total(metrics, name), "event_pressure")
    yield from _limit_failures(metrics)
    yield _plain("denied", 0.0, "connections_denied")
    for labels, number in rows(metrics, "total_connections_denied"):
        yield _plain(f"denied {' '.join(labels.values())}", number, "connections_denied")


def _limit_failures(metrics: Metrics) -> Iterator[Counter]:
    """Questions that the server of the shared limits did not answer, from a histogram."""
    entry = metrics.get("redis_operation_latency")
    found = entry.get("value") if isinstance(entry, Mapping) else None
    for row in found if isinstance(found, list) else ():
        histogram = row.get("@") if isinstance(row, Mapping) else None
        number = _number(histogram.get("count")) if isinstance(histogram, Mapping) else None
        if number is not None and row.get("status") == "error":
            key = f"limits {row.get('service')} {row.get('operation')}"
            yield _plain(key, number, "shared_limit_failures")


def _plain(key: str, value: float, metric: str) -> Counter:
    return Counter(key, value, ((metric, ()),))


def _dispositions(metrics: Metrics, config: Config, metric: str, kumod: str) -> Iterator[Counter]:
    for labels, number in rows(metrics, f"total_messages_{kumod}_by_provider_and_source"):
        queue = labels.get("provider", "")
        if not is_mail(queue) or queue.endswith(TRANSFER_QUEUE):
            continue
        dimensions = (
            ("provider", config.provider(labels.get("provider", ""))),
            ("source", config.source(labels.get("source", ""))),
        )
        key = " ".join((metric, *(labels.get(name, "") for name in ("provider", "source", "pool"))))
        yield Counter(key, number, ((f"messages_{metric}", ()), (metric, dimensions)))


# Age --------------------------------------------------------------------------


def created(message: str) -> float:
    """Unix time of a spool id, which is a UUID of version 1."""
    number = int(message[12:16] + message[8:12] + message[:8], 16) & 0x0FFFFFFFFFFFFFFF
    return (number - _UUID_EPOCH) / 1e7


def age(oldest: Oldest, now: float | None = None) -> Metric:
    """Age of the oldest known message; 0 if none waits."""
    now = time.time() if now is None else now
    seconds = max(0.0, now - created(oldest.message)) if oldest.message else 0.0
    return Metric("oldest_message_seconds", seconds, "Seconds")


def oldest(config: Config, metrics: Metrics, known: Oldest, deadline: Deadline) -> Oldest:
    """The oldest message seen: the known one while it waits, or one of a sample.

    The sample is of the fullest queues and, in turn from run to run, of all others: kumod lists a
    queue's messages in no order, and listing them all would be too expensive.
    """
    waiting = {
        name: number
        for name, number in by_label(metrics, "scheduled_count", "queue").items()
        if number > 0 and is_mail(name)
    }
    candidates = (
        [known.message] if known.message and _waits(config, known.message, deadline) else []
    )
    chosen, visited = queues_to_visit(waiting, known.visited)
    for queue in chosen:
        try:
            candidates += _sample(config, queue, deadline)
        except WebError:
            # It emptied meanwhile, or time ran out: what was found so far is valid.
            continue
    return Oldest(message=min(candidates, key=created, default=""), visited=visited)


def queues_to_visit(waiting: Mapping[str, float], visited: str) -> tuple[list[str], str]:
    """The fullest queues, some others in turn by name, and the last of those."""
    fullest = sorted(waiting, key=lambda name: (-waiting[name], name))[:_FULLEST]
    rest = sorted(set(waiting) - set(fullest))
    later = [name for name in rest if name > visited]
    in_turn = (later + [name for name in rest if name <= visited])[:_IN_TURN]
    return fullest + in_turn, in_turn[-1] if in_turn else ""


def _sample(config: Config, queue: str, deadline: Deadline) -> list[str]:
    query = urllib.parse.urlencode({"queue_name": queue, "limit": _SAMPLE})
    answer = get_json(f"{config.kumod}/api/admin/inspect-sched-q/v1?{query}", deadline)
    return [str(entry["id"]) for entry in answer.get("messages", ())]


def _waits(config: Config, message: str, deadline: Deadline) -> bool:
    query = urllib.parse.urlencode({"id": message})
    try:
        status, _ = get(f"{config.kumod}/api/admin/inspect-message/v1?{query}", deadline)
    except WebError:
        return False
    return status == 200
