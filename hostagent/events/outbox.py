"""Verb `outbox`: a service that posts the outbox's events, and retries single events. It
also forwards what the log hook posts (`hostagent.events.forwarder`).

The outbox is a local log of kumod with short segments. A segment is read when kumod has finished
it, and deleted when every event in it is handled: what is there is pending. So neither the
clock, nor the order of names, nor a checkpoint can make it skip one. The position in a segment is
kept only to repeat fewer events after a crash. A segment that cannot be read to its end is moved
away.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hostagent import contract, durable
from hostagent.errors import AgentError
from hostagent.events import life
from hostagent.events.dead_letters import DEAD_LETTERS, Store
from hostagent.events.delivery import Delivery, Event
from hostagent.events.forwarder import Forwarder
from hostagent.events.record import event_id, event_time, is_wanted
from hostagent.events.segments import PATTERN, Segment
from hostagent.events.webhook import SETTINGS, Webhook

OUTBOX = Path(contract.OUTBOX)
DAMAGED = "damaged"
_POSITION = ".position"
_LOOK_EVERY = 0.5
_LEAST_READ = 200
_RECONCILE_EVERY = 60.0
ABANDONED_AFTER = 60.0
"""Seconds without a change after which an open segment is abandoned: kumod ends one after half a
second, but marks what a crash left only when it starts with this transport."""


class Stopped(Exception):
    """The service was told to stop."""


@dataclass(frozen=True)
class Places:
    """Paths on an MTA host."""

    outbox: Path = OUTBOX
    store: Path = DEAD_LETTERS
    settings: Path = SETTINGS


def main(arguments: Sequence[str]) -> int:
    """Runs until SIGTERM. A release with another agent restarts it."""
    if arguments:
        print(f"ping8: {arguments[0]!r} is not known here", file=sys.stderr)
        return 1
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    program = Path(sys.argv[0])
    try:
        places = Places()
        outbox = Outbox(places, os.environ, now=time.time, pause=pause)
        Forwarder(lambda: Webhook(os.environ, settings(places))).start()
        reconciling = Reconciling([sys.executable, str(program), "events", "reconcile", "--due"])
        while True:
            outbox.work()
            reconciling.look()
            pause(_LOOK_EVERY)
    except Stopped:
        pass
    except AgentError as error:
        print(f"ping8: {error.what}; {error.fix}", file=sys.stderr)
        return 1
    return 0


class Reconciling:
    """Searches for events lost in a crash, in a separate process; repeated until it succeeds."""

    def __init__(
        self,
        command: Sequence[str],
        mark: Path = life.PATH,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._mark = mark
        self._elapsed = elapsed
        self._process: subprocess.Popen[bytes] | None = None
        self._next = 0.0

    def look(self) -> None:
        """Starts it if it is due and not running."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._elapsed() < self._next or not life.read(self._mark).reconcile:
            return
        self._next = self._elapsed() + _RECONCILE_EVERY
        self._process = subprocess.Popen(["nice", *self._command], stdout=subprocess.DEVNULL)


class Outbox:
    """The segments, the client for PING8, and the clock."""

    def __init__(
        self,
        places: Places,
        environment: Mapping[str, str],
        *,
        now: Callable[[], float],
        pause: Callable[[float], None],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._elapsed = elapsed
        self._open: dict[str, tuple[tuple[int, int], float]] = {}
        self._handled: dict[str, int] = {}
        webhook = Webhook(environment, settings(self._places))
        self._delivery = Delivery(webhook, Store(places.store), now, pause)

    def work(self) -> None:
        """Handles everything that is there now."""
        self._delivery.webhook.settings = settings(self._places)
        try:
            self._delivery.retry_waiting()
        except sqlite3.Error as error:
            print(f"ping8: the dead-letter store: {error}", file=sys.stderr)
        for segment in self._ready():
            try:
                self._empty(segment)
            except FileNotFoundError:
                continue
            except OSError as error:
                # Read-only or failing disk: the segment stays, and nothing in it is sent again.
                print(f"ping8: {segment.path.name} stays: {error}", file=sys.stderr)

    def _ready(self) -> Iterator[Segment]:
        seen = {}
        for path in sorted(self._places.outbox.glob(PATTERN)):
            segment = Segment(path)
            if segment.done:
                yield segment
                continue
            status = path.stat()
            state = (status.st_size, status.st_mtime_ns)
            known, since = self._open.get(path.name, (None, 0.0))
            if known != state:
                since = self._elapsed()
            if self._elapsed() - since >= ABANDONED_AFTER:
                yield segment
            seen[path.name] = (state, since)
        self._open = seen

    def _empty(self, segment: Segment) -> None:
        """Handles every event of a segment, then deletes it; a damaged segment is moved away."""
        done = self._position(segment.path.name)
        least = max(_LEAST_READ, int(self._delivery.webhook.settings.get("batch_size", 1)))
        batch: list[Event] = []
        number = 0
        readable = True
        for number, line in enumerate(segment.lines(), start=1):
            event = self._event(line)
            readable = readable and event is not None
            if number <= done or not isinstance(event, Event):
                continue
            batch.append(event)
            if len(batch) >= least:
                self._deliver(segment.path.name, batch, number)
                batch = []
        if batch:
            self._deliver(segment.path.name, batch, number)
        if segment.whole and readable:
            segment.path.unlink()
        else:
            self._move_away(segment.path)
        self._handled.pop(segment.path.name, None)

    def _event(self, line: bytes) -> Event | Literal[False] | None:
        """The event of a line, False if it is left out, None if the line is not a record."""
        try:
            record = json.loads(line)
            if not is_wanted(record, self._delivery.webhook.settings.get("leave_out", {})):
                return False
            return Event(event_id(record), event_time(record), line.decode())
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def _deliver(self, name: str, batch: list[Event], lines: int) -> None:
        self._delivery.deliver(batch)
        self._handled[name] = lines
        try:
            durable.write_json(self._places.outbox / _POSITION, {"segment": name, "lines": lines})
        except OSError as error:
            # Without it, events are only sent again after a crash.
            print(f"ping8: the position in the outbox cannot be saved: {error}", file=sys.stderr)

    def _position(self, name: str) -> int:
        """The number of handled lines of this segment; 0 if unknown."""
        if name in self._handled:
            return self._handled[name]
        try:
            data = durable.read_json(self._places.outbox / _POSITION)
            return int(data["lines"]) if data["segment"] == name else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _move_away(self, path: Path) -> None:
        print(f"ping8: {path.name} cannot be read to its end: see {DAMAGED}/", file=sys.stderr)
        folder = path.parent / DAMAGED
        folder.mkdir(mode=0o2770, exist_ok=True)
        path.rename(folder / path.name)


def settings(places: Places) -> dict[str, Any]:
    """The policy's current settings of the webhook."""
    try:
        content: dict[str, Any] = json.loads(places.settings.read_bytes())
    except (OSError, ValueError) as error:
        raise AgentError(f"{places.settings}: {error}", "push again") from None
    return content
