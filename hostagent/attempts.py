"""The last attempt of each queue, from the local logs: its time, source and answer.

kumod's own lists have counts, but not the receivers' answers.
"""

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from hostagent.events.logs import LOGS, records
from hostagent.events.record import event_time

LOOK_BACK = 2 * 3600
_ATTEMPT = "TransientFailure"
_NOT_ASKED = "KumoMTA internal: scheduled queue is suspended"
"""kumod logs this for a suspended message; it is no receiver's answer."""


def last_attempts(
    queues: Collection[str], logs: Path = LOGS, *, seconds: float
) -> dict[str, dict[str, Any]]:
    """By queue. Reads the newest segments first, until every queue is found or time runs out."""
    now = time.time()
    end = time.monotonic() + seconds
    found: dict[str, dict[str, Any]] = {}
    wanted = set(queues)
    seen = records(
        logs, int(now - LOOK_BACK), int(now), newest_first=True, containing=_ATTEMPT.encode()
    )
    for record in seen if wanted else ():
        if _counts(record) and record.get("queue") in wanted:
            queue = str(record["queue"])
            if queue not in found or event_time(record) > found[queue]["at"]:
                found[queue] = _attempt(record)
        if time.monotonic() > end:
            break
    return found


def _counts(record: Mapping[str, Any]) -> bool:
    answer = str((record.get("response") or {}).get("content") or "")
    return record.get("type") == _ATTEMPT and not answer.startswith(_NOT_ASKED)


def _attempt(record: Mapping[str, Any]) -> dict[str, Any]:
    response = record.get("response") or {}
    answer = f"{response.get('code') or ''} {response.get('content') or ''}".strip()
    return {
        "at": event_time(record),
        "source": record.get("egress_source") or "",
        "provider": record.get("provider_name") or _site(str(record.get("site") or "")),
        "answer": answer,
    }


def _site(name: str) -> str:
    """The site in a ready queue's name, `source->site@protocol`."""
    _, arrow, rest = name.rpartition("->")
    return rest.partition("@")[0] if arrow else ""
