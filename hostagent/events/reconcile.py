"""`events reconcile`: finds messages with an unknown outcome after a kill or a power cut.

Log lines in kumod's compressor are lost then. A message that was received, has no final
event in the local logs and is in no queue was delivered or bounced, and its event is
lost. Only the recipient's server knows which, so it is not sent again.
"""

import json
import time
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostagent import contract, durable
from hostagent.errors import AgentError
from hostagent.events.logs import LOGS, records
from hostagent.events.record import FINAL, LEFT, event_time, first_id
from hostagent.events.segments import PATTERN, Segment
from hostagent.web import Deadline, WebError, get

KUMOD = contract.KUMOD_API
REPORT = Path(contract.RECONCILED)
WEEK = 7 * 86400
_BEGINS = frozenset({"Reception", "XferIn"})
_FINAL = frozenset({*FINAL, LEFT})
_SEGMENT_ENDS = 400.0
"""Seconds after which an open segment has ended: one minute, five in earlier releases."""
_LOOK_EVERY = 5.0
_MOST_SHOWN = 10_000


@dataclass(frozen=True)
class Clock:
    """The clock."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def reconcile(
    first: float,
    *,
    logs: Path = LOGS,
    kumod: str = KUMOD,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Compares receptions since then with final events and queues, while kumod runs.

    A message that is delivered meanwhile is in the segment that is open now, so the logs are read
    again when that segment has ended.
    """
    clock = clock or Clock()
    begun = clock.now()
    received, lacking = _without_end(records(logs, int(first), int(begun)), first, begun)
    gone = {one: found for one, found in lacking.items() if not _is_held(kumod, one)}
    waiting = len(lacking) - len(gone)
    if gone:
        _wait_for_segments(logs, clock)
        for record in records(logs, int(begun) - int(_SEGMENT_ENDS), int(clock.now())):
            if record.get("type") in _FINAL:
                gone.pop(str(record.get("id")), None)
    unknown = sorted(gone.values(), key=lambda found: found["time"])
    return {
        "at": int(begun),
        "from": int(first),
        "received": received,
        "settled": received - waiting - len(unknown),
        "waiting": waiting,
        "unknown": len(unknown),
        "messages": unknown[:_MOST_SHOWN],
    }


def keep(report: dict[str, Any], path: Path = REPORT) -> None:
    """For the alarm."""
    durable.write_bytes(path, json.dumps(report).encode(), mode=0o644)


def _without_end(
    found: Iterable[dict[str, Any]], first: float, last: float
) -> tuple[int, dict[str, dict[str, Any]]]:
    received = 0
    ended: set[str] = set()
    lacking: dict[str, dict[str, Any]] = {}
    for record in found:
        name = str(record.get("id"))
        if record.get("type") in _FINAL:
            # Threads log concurrently: a final event may be before its reception.
            if lacking.pop(name, None) is None:
                ended.add(name)
            elif record.get("type") == LEFT:
                received -= 1
        elif record.get("type") in _BEGINS and record.get("reception_protocol") == "HTTP":
            if not first <= event_time(record) <= last:
                continue
            received += 1
            if name in ended:
                ended.discard(name)
            else:
                lacking[name] = {
                    "id": first_id(record),
                    "time": event_time(record),
                    "recipient": record.get("recipient"),
                    "headers": {
                        key: value
                        for key, value in record.get("meta", {}).items()
                        if key[:1].isupper()
                    },
                }
    return received, lacking


def _is_held(kumod: str, message: str) -> bool:
    query = urllib.parse.urlencode({"id": message})
    try:
        status, body = get(f"{kumod}/api/admin/inspect-message/v1?{query}", Deadline(10))
    except WebError as error:
        raise AgentError(f"kumod cannot be asked: {error}", "start kumod, then try again") from None
    if status == 200:
        return True
    # kumod answers 500 for a message that its spool does not have.
    if status in (404, 500) and b"no such" in body:
        return False
    raise AgentError(f"kumod answers {status} about a message", "see kumod's journal")


def _wait_for_segments(logs: Path, clock: Clock) -> None:
    """Waits until the segments that are open now have ended."""
    end = clock.now() + _SEGMENT_ENDS
    open_now = [path for path in logs.glob(PATTERN) if not Segment(path).done]
    while clock.now() < end and any(path.exists() and not Segment(path).done for path in open_now):
        clock.sleep(_LOOK_EVERY)
