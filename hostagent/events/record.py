"""A log record as PING8 gets it: its id, its time, and its content."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from hostagent.contract import TRANSFER_QUEUE

_LOCAL = {"ping8_missing"}
"""Fields that only the local logs have."""

ID_FIELD = "X-PING8-Event-Id"
LOG_RECORD = "LogRecord"
FIRST_ID = "first_id"
"""The id that a message had before it moved to another node, as in transfer.lua."""
FINAL = ("Delivery", "Bounce", "Expiration", "AdminBounce")
"""After one of these, a message is in no queue any more."""
LEFT = "XferOut"
"""The type of a record after which the message is on another node, whose logs have its end."""
_OF_TRANSFER = ("TransientFailure", "Delayed", "AdminRebind")

NO_MAIL = ("ping8.inbox", "generator.kumomta.internal")
"""Queues of mail to people, and of requests with `deferred_generation`, as in events.lua."""


def event_id(record: Mapping[str, Any]) -> str:
    """The id as policy/kumomta/events.lua computes it, so that PING8 recognizes a replay."""
    exact, whole = _moment(record)
    time = exact if isinstance(exact, str) else str(int(whole or 0))
    recipient = record.get("recipient") or ""
    recipients = recipient if isinstance(recipient, str) else ",".join(recipient)
    parts = (
        first_id(record),
        record["type"],
        time,
        recipients,
        str(int(record.get("num_attempts") or 0)),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def first_id(record: Mapping[str, Any]) -> str:
    """The id of its message, which another one replaces when the message moves to another node."""
    return (record.get("meta") or {}).get(FIRST_ID) or record.get("id") or ""


def event_time(record: Mapping[str, Any]) -> int:
    """When it happened, in seconds of Unix time."""
    return int(_moment(record)[1] or 0)


def event_type(record: Mapping[str, Any]) -> str:
    """Its type as in the settings, where the reception of mail by SMTP has its own name."""
    kind = str(record.get("type") or "Unknown")
    if kind == "Reception" and record.get("reception_protocol") != "HTTP":
        return "InboundReception"
    return kind


def as_event(logged: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the local logs as PING8 gets it: correlation values are in `headers`, the pool
    is named without the suffix that policy/kumomta/egress.lua adds, and a message that moved to
    another node has its first id."""
    meta = {name: value for name, value in logged.get("meta", {}).items() if name not in _LOCAL}
    pool = logged.get("egress_pool")
    named = {"egress_pool": pool.partition("#")[0]} if pool else {}
    first = {"id": meta[FIRST_ID]} if FIRST_ID in meta else {}
    return {**logged, **named, **first, "headers": meta, "meta": {}}


def is_wanted(record: Mapping[str, Any], leave_out: Mapping[str, Any]) -> bool:
    """Not an event about an event or about no mail, nor a type that the settings leave out."""
    if record.get("reception_protocol") == LOG_RECORD or record.get("queue") in NO_MAIL:
        return False
    queue = str(record.get("queue"))
    if record.get("type") in _OF_TRANSFER and queue.endswith(TRANSFER_QUEUE):
        return False
    return event_type(record) not in leave_out


def array(records: Iterable[tuple[str, str]]) -> str:
    """A JSON array of records by their ids; each record begins with its id.

    Joined as text, as in the policy, so that each record stays as kumod wrote it.
    """
    opened = (f'{{"{ID_FIELD}":"{record_id}",{text.strip()[1:]}' for record_id, text in records)
    return f"[{','.join(opened)}]"


def _moment(record: Mapping[str, Any]) -> tuple[Any, Any]:
    # Two loggers may report an out-of-band bounce twice; both have the same reception.
    if record.get("type") == "OOB":
        return record.get("created_time"), record.get("created")
    return record.get("event_time"), record.get("timestamp")
