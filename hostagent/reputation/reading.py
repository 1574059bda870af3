"""Reads refusals out of kumod's local logs: each segment once, when kumod has finished it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hostagent.events.segments import PATTERN, Segment
from hostagent.reputation.kept import Refusals
from hostagent.reputation.refusal import CLASS, Refusal, refusal_of

_LOOK_BACK = 3600.0
"""Seconds: a host that was away does not read a month of logs."""

_SECONDS = 10.0
"""For one look. Segments that are left come with the next; the rest of one that takes longer is not
read, for the timer has other things to tell."""


def look(
    logs: Path,
    known: Refusals,
    enough: int,
    now: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[Refusal]:
    """Adds what the new segments say, and returns it."""
    known.forget(now)
    end = clock() + _SECONDS
    found: list[Refusal] = []
    segments = {segment.path.name: segment for segment in _finished(logs, now)}
    known.read = [name for name in known.read if name in segments]
    for name, segment in segments.items():
        if name in known.read:
            continue
        if clock() > end:
            break
        known.read.append(name)
        for refusal in _refusals(segment, lambda: clock() > end):
            found.append(refusal)
            known.add(refusal, enough)
    return found


def _finished(logs: Path, now: float) -> Iterator[Segment]:
    for path in sorted(logs.glob(PATTERN)):
        segment = Segment(path)
        try:
            if segment.done and now - path.stat().st_mtime < _LOOK_BACK:
                yield segment
        except FileNotFoundError:
            continue


def _refusals(segment: Segment, is_over: Callable[[], bool]) -> Iterator[Refusal]:
    for line in segment.lines():
        if is_over():
            return
        if CLASS.encode() not in line:
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and (refusal := refusal_of(record)):
            yield refusal
