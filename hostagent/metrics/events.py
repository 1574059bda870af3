"""Events that are pending, refused or possibly lost, and logs that are not yet in S3."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from hostagent.events import inbox, life
from hostagent.events.outbox import DAMAGED
from hostagent.events.segments import PATTERN
from hostagent.metrics.configuration import Config
from hostagent.metrics.kumod import events_ready, events_scheduled
from hostagent.metrics.model import Counter, Metric
from hostagent.reputation import kept

_BYTES_EACH = 256
"""Size of one event in a short compressed segment; see `backlog`."""

_BUSY_SECONDS = 2.0


def backlog(config: Config, metrics: Mapping[str, Any]) -> Metric:
    """Events that PING8 does not have yet, in kumod's queue and in the outbox.

    In the outbox this is an estimate from the size of the segments: counting their lines
    each minute would mean unpacking all of them.
    """
    size = sum(status.st_size for status in _segments(config))
    queued = events_scheduled(metrics) + events_ready(metrics)
    return Metric("event_backlog", queued + size // _BYTES_EACH, "Count")


def outbox(config: Config, now: float | None = None) -> list[Metric]:
    """The outbox's contents; all are pending, because a segment is deleted when PING8 has it."""
    found = _segments(config)
    now = time.time() if now is None else now
    oldest = min((status.st_mtime for status in found), default=now)
    return [
        Metric("outbox_seconds", max(0.0, now - oldest), "Seconds"),
        Metric("outbox_bytes", sum(status.st_size for status in found), "None"),
        Metric("outbox_segments", len(found), "Count"),
    ]


def _segments(config: Config) -> list[os.stat_result]:
    found = []
    if config.outbox and Path(config.outbox).is_dir():
        for path in Path(config.outbox).glob(PATTERN):
            with suppress(FileNotFoundError):
                found.append(path.stat())
    return found


def damaged(config: Config) -> Metric:
    """Segments that could not be read to their end, and stores that were no longer a database."""
    store = Path(config.dead_letters)
    count = sum(1 for _ in (Path(config.outbox) / DAMAGED).glob(PATTERN))
    count += sum(
        1 for path in store.parent.glob(f"{store.name}.damaged-*") if path.suffix[-1].isdigit()
    )
    return Metric("events_damaged", count, "Count")


def stored(config: Config) -> list[Metric]:
    """The number of dead letters, and of events that are retried alone."""
    counts = {"dead_letters": 0, "waiting": 0}
    if Path(config.dead_letters).exists():
        uri = f"file:{config.dead_letters}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as db:
                tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master")]
                for name in counts.keys() & set(tables):
                    query = f"SELECT count(*) FROM {name}"  # noqa: S608 - one of two names
                    (counts[name],) = db.execute(query).fetchone()
        except sqlite3.Error as error:
            raise ValueError(f"{config.dead_letters}: {error}") from None
    return [
        Metric("dead_letters", counts["dead_letters"], "Count"),
        Metric("events_alone", counts["waiting"], "Count"),
    ]


def unread(config: Config) -> Iterator[Metric]:
    """Mail to people that nobody has listed yet."""
    if config.inbox:
        yield Metric("inbox_unread", inbox.unread(Path(config.inbox)), "Count")


def refused(config: Config) -> Iterator[Metric]:
    """Pairs of provider and source with refusals for reputation that nobody acknowledged."""
    if config.reputation:
        alarming = kept.read(Path(config.reputation)).alarming()
        yield Metric("reputation_refusals", len(alarming), "Count")


def unclean_stops(config: Config) -> Counter:
    """The number of unclean stops of kumod."""
    count = life.read(Path(config.life)).unclean if config.life else 0
    return Counter("unclean_stops", count, (("unclean_stops", ()),))


def unknown(config: Config) -> Iterator[Metric]:
    """Messages whose outcome the last `events reconcile` could not find."""
    if config.reconciled and Path(config.reconciled).exists():
        found = json.loads(Path(config.reconciled).read_bytes())
        yield Metric("messages_unknown", found["unknown"], "Count")
    else:
        yield Metric("messages_unknown", 0, "Count")


def unshipped(config: Config) -> Iterator[Metric]:
    """Segments that are not in S3 after the last run of `ping8-agent ship`."""
    if config.shipped:
        with Path(config.shipped).open(encoding="utf-8") as file:
            yield Metric("segments_unshipped", json.load(file)["waiting"], "Count")
