"""Events that PING8 refused or that grew too old (policy/kumomta/dead_letters.lua)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

DEAD_LETTERS = Path("/var/spool/kumomta/ping8/dead-letters.sqlite")
_BUSY_SECONDS = 10


@dataclass(frozen=True)
class DeadLetter:
    """One event with the answer that buried it; `record` is the JSON text that PING8 was sent."""

    event_id: str
    buried: int
    answer: str
    record: str


def dead_letters(path: Path) -> Iterator[DeadLetter]:
    """Oldest first; none when nothing was ever buried."""
    if not path.exists():
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as db:
        query = "SELECT event_id, buried, answer, record FROM dead_letters ORDER BY buried, rowid"
        for row in db.execute(query).fetchall():
            yield DeadLetter(*row)


def remove(path: Path, event_id: str) -> None:
    """After PING8 has taken it."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as db, db:
        db.execute("DELETE FROM dead_letters WHERE event_id = ?", (event_id,))
