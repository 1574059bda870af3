"""Verb `find`: what this host knows about a message, from logs, queues and dead letters."""

import argparse
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hostagent.events.dead_letters import DEAD_LETTERS, dead_letters
from hostagent.events.logs import LOGS, records
from hostagent.events.record import (
    FINAL,
    FIRST_ID,
    LEFT,
    LOG_RECORD,
    event_id,
    event_time,
    event_type,
    first_id,
)
from hostagent.metrics.kumod import rows
from hostagent.queues import KUMOD, parts
from hostagent.report import answer
from hostagent.web import Deadline, WebError, get_json

_SECONDS = 20.0
_MOST = 50
_LOOKED_AT = 1000
_NEW_ID = "new id is "


def main(
    arguments: Sequence[str],
    logs: Path = LOGS,
    store: Path = DEAD_LETTERS,
    kumod: str = KUMOD,
) -> int:
    """Prints one line of JSON."""
    parser = argparse.ArgumentParser(prog="ping8-agent find")
    parser.add_argument("what", help="kumod's id, PING8's id, or a recipient's address")
    parser.add_argument("--from", dest="first", type=int, default=0, help="Unix time")
    options = parser.parse_args(arguments)
    return answer(lambda: find(options.what, options.first, logs, store, kumod))


def find(what: str, first: int, logs: Path, store: Path, kumod: str) -> dict[str, Any]:
    """The newest messages with this id or recipient, each with its steps in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records(logs, first, int(time.time())):
        if record.get("reception_protocol") != LOG_RECORD and _is_meant(record, what):
            found.setdefault(first_id(record), []).append(record)
    # The open segment cannot be read yet: recent messages are only in a queue.
    waiting = _queued_for(kumod, what) if "@" in what else {}
    if "@" not in what and not found and (one := _waiting(kumod, what)) is not None:
        waiting = {what: one}
    logged = {record.get("id") for steps in found.values() for record in steps}
    unlogged = [
        {**_message(one["first_id"] or message, [], one, {}), "ids": [message]}
        for message, one in waiting.items()
        if message not in logged
    ]
    letters = {letter.event_id: letter.answer for letter in dead_letters(store)}
    newest = sorted(found.items(), key=lambda item: -max(map(event_time, item[1])))[:_MOST]
    return {
        "count": len(found) + len(unlogged),
        "messages": [*unlogged, *_logged(newest, letters, kumod)],
    }


def _logged(
    found: Iterable[tuple[str, list[dict[str, Any]]]], letters: Mapping[str, str], kumod: str
) -> Iterator[dict[str, Any]]:
    for message, steps in found:
        steps.sort(key=event_time)
        last = steps[-1]
        gone = _is_over(steps) or last.get("type") == LEFT
        waits = None if gone else _waiting(kumod, str(last.get("id")), str(last.get("queue") or ""))
        yield _message(message, steps, waits, letters)


def _queued_for(kumod: str, recipient: str) -> dict[str, dict[str, Any]]:
    """Messages to an address, from a sample of each queue of its domain."""
    deadline = Deadline(_SECONDS)
    try:
        metrics = get_json(f"{kumod}/metrics.json", deadline)
    except WebError:
        return {}
    domain = recipient.rpartition("@")[2].lower()
    found = {}
    for labels, _ in rows(metrics if isinstance(metrics, dict) else {}, "scheduled_count"):
        queue = labels.get("queue", "")
        if parts(queue)[2].lower() != domain:
            continue
        wanted = {"queue_name": queue, "limit": str(_LOOKED_AT)}
        for one in _asked(kumod, "inspect-sched-q", wanted, deadline).get("messages", ()):
            if recipient.lower() in _addresses(one["message"]):
                found[str(one["id"])] = {**_told(one["message"]), "queue": queue}
    return found


def _addresses(message: Mapping[str, Any]) -> set[str]:
    recipient = message.get("recipient") or ""
    listed = [recipient] if isinstance(recipient, str) else recipient
    return {address.lower() for address in listed}


def _told(inner: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: inner.get(name) for name in ("sender", "recipient", "due", "num_attempts")}
    return {**found, "first_id": (inner.get("meta") or {}).get(FIRST_ID)}


def _is_meant(record: dict[str, Any], what: str) -> bool:
    own = (record.get("meta") or {}).get("X-PING8-Message-Id")
    return what in (*_ids(record), own) or what.lower() in _addresses(record)


def _ids(record: Mapping[str, Any]) -> Iterator[str]:
    """Every id of its message that a record knows."""
    yield str(record.get("id"))
    yield first_id(record)
    if record.get("type") == LEFT:
        yield str((record.get("response") or {}).get("content")).removeprefix(_NEW_ID)


def _is_over(steps: Sequence[dict[str, Any]]) -> bool:
    return any(step.get("type") in FINAL for step in steps)


def _waiting(kumod: str, message: str, queue: str = "") -> dict[str, Any] | None:
    """kumod's view of a queued message: its queue, attempts and when it is due.

    kumod reports attempts and time only when it is asked for the queue, not for the message.
    """
    deadline = Deadline(_SECONDS)
    inner = _asked(kumod, "inspect-message", {"id": message}, deadline).get("message")
    if not isinstance(inner, dict):
        return None
    if queue:
        wanted = {"queue_name": queue, "limit": str(_LOOKED_AT)}
        for one in _asked(kumod, "inspect-sched-q", wanted, deadline).get("messages", ()):
            if one.get("id") == message:
                inner = one["message"]
    return {**_told(inner), "queue": queue or None}


def _asked(kumod: str, what: str, query: dict[str, str], deadline: Deadline) -> dict[str, Any]:
    url = f"{kumod}/api/admin/{what}/v1?{urllib.parse.urlencode(query)}"
    try:
        answer = get_json(url, deadline)
    except WebError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _message(
    message: str,
    steps: Sequence[dict[str, Any]],
    waiting: dict[str, Any] | None,
    letters: Mapping[str, str],
) -> dict[str, Any]:
    first = steps[0] if steps else (waiting or {})
    return {
        "id": message,
        "ids": list(dict.fromkeys(one for step in steps for one in _ids(step))),
        "sender": first.get("sender"),
        "recipient": first.get("recipient"),
        "campaign": (first.get("meta") or {}).get("X-PING8-Campaign-Id"),
        "steps": list(_steps(steps, letters)),
        "over": _is_over(steps),
        "waiting": waiting,
    }


def _steps(
    records: Sequence[dict[str, Any]], letters: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for record in records:
        response = record.get("response") or {}
        peer = record.get("peer_address") or {}
        source = record.get("source_address") or {}
        yield {
            "time": event_time(record),
            "type": event_type(record),
            "queue": record.get("queue"),
            "source": record.get("egress_source"),
            "from": source.get("address"),
            "peer": " ".join(filter(None, (peer.get("name"), peer.get("addr")))),
            "code": response.get("code"),
            "answer": response.get("content"),
            "classification": record.get("bounce_classification"),
            "tls": record.get("tls_protocol_version"),
            "attempts": record.get("num_attempts"),
            "protocol": record.get("reception_protocol"),
            "refused": letters.get(event_id(record)),
        }
