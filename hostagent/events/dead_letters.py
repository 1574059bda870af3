"""The store of events that PING8 did not take (policy/kumomta/dead_letters.lua).

Dead letters are events that PING8 refused or that got too old: an operator replays them. Besides
them, the store has single events on which PING8 fails repeatedly: each is retried alone, so
that it delays no other event. SQLite has committed when a function here returns.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hostagent import contract

DEAD_LETTERS = Path(contract.DEAD_LETTERS)
_BUSY_SECONDS = 10
_SCHEMA = """
CREATE TABLE IF NOT EXISTS dead_letters (
  event_id TEXT PRIMARY KEY,
  buried INTEGER NOT NULL,
  answer TEXT NOT NULL,
  record TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS waiting (
  event_id TEXT PRIMARY KEY,
  due INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  answer TEXT NOT NULL,
  record TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class DeadLetter:
    """One event with PING8's answer; `record` is the JSON text that was sent."""

    event_id: str
    buried: int
    answer: str
    record: str


@dataclass(frozen=True)
class Waiting:
    """One event that is retried alone, and the number of attempts."""

    event_id: str
    attempts: int
    record: str


def dead_letters(path: Path) -> Iterator[DeadLetter]:
    """Oldest first; none if there never was one."""
    if not path.exists():
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as db:
        query = "SELECT event_id, buried, answer, record FROM dead_letters ORDER BY buried, rowid"
        for row in db.execute(query).fetchall():
            yield DeadLetter(*row)


def remove(path: Path, event_id: str) -> None:
    """Called after PING8 has taken it."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as db, db:
        db.execute("DELETE FROM dead_letters WHERE event_id = ?", (event_id,))


class Store:
    """The store, for writing. After an `sqlite3.Error` nothing counts as handled.

    A file that is no longer a database is renamed, where an operator can find it and
    an alarm counts it; a new one replaces it.
    """

    def __init__(self, path: Path = DEAD_LETTERS) -> None:
        self._path = path

    def bury(self, event_id: str, record: str, answer: str, now: float) -> None:
        """Make it a dead letter; it is not retried any more."""
        with self._open() as db:
            db.execute(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?)",
                (event_id, int(now), answer, record),
            )
            db.execute("DELETE FROM waiting WHERE event_id = ?", (event_id,))

    def keep_alone(
        self, event_id: str, record: str, answer: str, due: float, attempts: int = 1
    ) -> None:
        """Retry it alone, from `due` on."""
        with self._open() as db:
            db.execute(
                "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?)",
                (event_id, int(due), attempts, answer, record),
            )

    def due(self, now: float, longest_wait: float, limit: int = 100) -> list[Waiting]:
        """Those to retry now. One that is due later than possible was recorded before the
        clock was set back."""
        if not self._path.exists():
            return []
        with self._open() as db:
            rows = db.execute(
                "SELECT event_id, attempts, record FROM waiting WHERE due <= ? OR due > ? "
                "ORDER BY due LIMIT ?",
                (int(now), int(now + 2 * longest_wait), limit),
            )
            return [Waiting(*row) for row in rows.fetchall()]

    def taken(self, event_id: str) -> None:
        """PING8 has it."""
        with self._open() as db:
            db.execute("DELETE FROM waiting WHERE event_id = ?", (event_id,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as db, db:
                db.executescript(_SCHEMA)
                yield db
        except sqlite3.DatabaseError as error:
            # Its subclasses report locks, full disks and wrong values; this one reports the file.
            if type(error) is sqlite3.DatabaseError:
                self._move_away()
            raise

    def _move_away(self) -> None:
        number = 1
        while (away := self._path.with_name(f"{self._path.name}.damaged-{number}")).exists():
            number += 1
        self._path.rename(away)
        journal = self._path.with_name(f"{self._path.name}-journal")
        if journal.exists():
            journal.rename(away.with_name(f"{away.name}-journal"))
