"""What was sent, what came of it, and what is missing without an excuse."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.soak.faults import Soak
from hostagent.events.logs import records
from hostagent.events.record import as_event, event_id, is_wanted

WINDOW = 5.0
"""Seconds before a kill within which an event may be lost, or a message come twice; before a power
cut within which a message may be lost (docs/durability.md)."""
_FINAL = frozenset({"Delivery", "Bounce", "Expiration"})
_LEFT_OUT = {"Rejection": True, "InboundReception": True, "Delayed": True}


@dataclass
class Account:
    """What was sent and what came of it."""

    lines: dict[str, int]
    wrong: list[str]


def account(soak: Soak) -> Account:
    """Every message and event, and what is missing without an excuse."""
    taken = soak.receiver.events
    kept = stored()
    known = taken | kept.keys()
    fates: dict[str, set[str]] = {}
    for record in [*soak.receiver.records, *kept.values()]:
        name = record.get("headers", {}).get("X-PING8-Message-Id", "")
        kind = "final" if record["type"] in _FINAL else record["type"]
        fates.setdefault(name, set()).add(kind)
    logged = [r for r in records(Path("/var/log/kumomta"), 0, 2**40) if is_wanted(r, _LEFT_OUT)]
    ids = {event_id(as_event(record)) for record in logged}
    traffic, ended = soak.traffic, soak.sink.ended
    missing = [name for name in traffic.accepted if name not in ended]
    lost_mail = [name for name in missing if not in_window(traffic.accepted[name], soak.power_cuts)]
    gaps: list[tuple[str, str, float]] = []
    for name, at in traffic.accepted.items():
        for kind, moment in (("Reception", at), ("final", ended.get(name))):
            if moment is not None and kind not in fates.get(name, set()):
                gaps.append((name, kind, moment))
    unwritten = [gap for gap in gaps if in_failure(gap[2], soak.failures)]
    killed = [gap for gap in gaps if in_window(gap[2], soak.kills) and gap not in unwritten]
    excused = [*killed, *unwritten]
    repeats = {name: times for name, times in soak.sink.taken.items() if len(times) > 1}
    ends = [*soak.kills, *soak.cuts]
    doubled = [
        name
        for name, times in repeats.items()
        if name not in soak.sink.unanswered
        and not all(in_window(at, ends) or in_failure(at, soak.failures) for at in times[:-1])
    ]
    wrong = [f"message {name} is lost: {story(name, soak, logged)}" for name in lost_mail]
    wrong += [f"{kind} of {name} is lost at {at}" for name, kind, at in set(gaps) - set(excused)]
    wrong += [f"event {one} is in the logs alone" for one in ids - known if not soak.kills]
    wrong += [f"message {name} came twice: nothing was killed" for name in doubled]
    wrong += ["a redirect was followed"] * soak.receiver.followed
    events = Counter(taken)
    return Account(
        {
            "faults": len(soak.played),
            "of these, kills of kumod": len(soak.kills),
            "and power cuts": len(soak.power_cuts),
            "messages accepted": len(traffic.accepted),
            "messages without an answer": len(traffic.unknown),
            "messages refused": traffic.refused,
            "messages delivered or bounced": sum(name in ended for name in traffic.accepted),
            "messages lost in the window of a power cut": len(missing) - len(lost_mail),
            "messages lost": len(lost_mail),
            "messages delivered twice": len(repeats),
            "messages delivered twice without a reason": len(doubled),
            "events expected": 2 * len(traffic.accepted),
            "events accounted for": 2 * len(traffic.accepted) - len(gaps),
            "events lost in the window of a kill": len(killed),
            "events lost while a disk failed": len(unwritten),
            "events lost": len(gaps) - len(excused),
            "events in the local logs alone": len(ids - known),
            "events that came again": sum(events.values()) - len(events),
            "dead letters": len(kept),
        },
        wrong,
    )


def story(name: str, soak: Soak, logged: list[dict[str, Any]]) -> str:
    """What is known of a message, and the faults around its reception."""
    at = soak.traffic.accepted[name]
    near = [f"{when - at:+.2f} {fault}" for when, fault in soak.played if abs(when - at) < 6]
    mine = [r for r in logged if r["meta"].get("X-PING8-Message-Id") == name]
    told = [f"{r['type']} {r['timestamp'] - at:+.0f} {r['response']['content'][:80]}" for r in mine]
    return f"accepted at {at:.2f}; logged: {told}; faults: {near}"


def in_window(moment: float, ends: Sequence[float]) -> bool:
    """Whether something ended soon after."""
    return any(-0.1 <= end - moment <= WINDOW for end in ends)


def in_failure(moment: float, failures: Sequence[tuple[float, float]]) -> bool:
    """Whether a disk failed then: nothing that happened could be written down."""
    return any(began - WINDOW <= moment <= ended for began, ended in failures)


def stored() -> dict[str, dict[str, Any]]:
    """Dead letters, and events that wait alone."""
    path = Path("/var/spool/kumomta/ping8/dead-letters.sqlite")
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return {
            one: json.loads(record)
            for table in ("dead_letters", "waiting")
            if table in names
            for one, record in db.execute(f"SELECT event_id, record FROM {table}")
        }
