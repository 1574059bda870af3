"""Events on their way to PING8: those that wait, those that it refused, and logs not yet in S3."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from hostagent.metrics.configuration import Config
from hostagent.metrics.kumod import events_ready, events_scheduled
from hostagent.metrics.model import Figure

_CHECKPOINT = ".webhook"
_SEGMENT = re.compile(r"[0-9]+-[0-9]+.*")
_BYTES_EACH = 256
"""Of one event in a short compressed segment; see `backlog`."""

_BUSY_SECONDS = 2.0


def backlog(config: Config, metrics: Mapping[str, Any]) -> Figure:
    """Events that PING8 does not have yet.

    In the outbox this is an estimate from the size of the segments that wait: to count their lines
    each minute would mean to unpack all of them.
    """
    if config.transport == "outbox":
        return Figure("event_backlog", outbox_bytes(Path(config.outbox)) // _BYTES_EACH, "Count")
    return Figure("event_backlog", events_scheduled(metrics) + events_ready(metrics), "Count")


def outbox_bytes(outbox: Path) -> int:
    """Size of the segments after the one that the tailer stands in."""
    try:
        current = Path(json.loads((outbox / _CHECKPOINT).read_bytes())["file"]).name
    except FileNotFoundError:
        current = ""
    size = 0
    for path in outbox.iterdir():
        if _SEGMENT.fullmatch(path.name) and path.name > current:
            try:
                size += path.stat().st_size
            except FileNotFoundError:
                continue
    return size


def dead_letters(config: Config) -> Figure:
    """How many events stand in the store of dead letters."""
    count = 0
    if Path(config.dead_letters).exists():
        uri = f"file:{config.dead_letters}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as db:
                (count,) = db.execute("SELECT count(*) FROM dead_letters").fetchone()
        except sqlite3.Error as error:
            raise ValueError(f"{config.dead_letters}: {error}") from None
    return Figure("dead_letters", count, "Count")


def unshipped(config: Config) -> Iterator[Figure]:
    """Segments that wait for S3, as the last run of `ping8-agent ship` left them."""
    if config.shipped:
        with Path(config.shipped).open(encoding="utf-8") as file:
            yield Figure("segments_unshipped", json.load(file)["waiting"], "Count")
