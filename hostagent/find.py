"""Verb `find`: all that this host knows of a message, from its logs, queues and dead letters."""

import argparse
import json
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hostagent.errors import AgentError
from hostagent.events.dead_letters import DEAD_LETTERS, dead_letters
from hostagent.events.logs import LOGS, records
from hostagent.events.record import LOG_RECORD, event_time, event_type
from hostagent.queues import KUMOD
from hostagent.web import Deadline, WebError, get_json

_SECONDS = 20.0
_MOST = 50
_LOOKED_AT = 1000
FINAL = ("Delivery", "Bounce", "Expiration", "AdminBounce")
"""After one of these a message is in no queue any more."""


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
    try:
        result = find(options.what, options.first, logs, store, kumod)
    except AgentError as error:
        print(f"ping8-agent: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result), flush=True)
    return 0


def find(what: str, first: int, logs: Path, store: Path, kumod: str) -> dict[str, Any]:
    """The newest messages that go by this id or to this address, each with its steps in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records(logs, first, int(time.time())):
        if record.get("reception_protocol") != LOG_RECORD and _is_meant(record, what):
            found.setdefault(str(record.get("id")), []).append(record)
    waiting = None if found or "@" in what else _waiting(kumod, what)
    if waiting is not None:
        return {"count": 1, "messages": [_message(what, [], waiting, {})]}
    letters = {
        str(record.get("id")): letter.answer
        for letter in dead_letters(store)
        if (record := json.loads(letter.record))
    }
    newest = sorted(found.items(), key=lambda item: -max(map(event_time, item[1])))[:_MOST]
    return {
        "count": len(found),
        "messages": [
            _message(
                message,
                sorted(steps, key=event_time),
                None if _is_over(steps) else _waiting(kumod, message, _queue(steps)),
                letters,
            )
            for message, steps in newest
        ],
    }


def _is_meant(record: dict[str, Any], what: str) -> bool:
    recipient = record.get("recipient") or ""
    recipients = [recipient] if isinstance(recipient, str) else recipient
    own = (record.get("meta") or {}).get("X-PING8-Message-Id")
    return what in (record.get("id"), own) or what.lower() in (
        address.lower() for address in recipients
    )


def _is_over(steps: Sequence[dict[str, Any]]) -> bool:
    return any(step.get("type") in FINAL for step in steps)


def _queue(steps: Sequence[dict[str, Any]]) -> str:
    return str(max(steps, key=event_time).get("queue") or "")


def _waiting(kumod: str, message: str, queue: str = "") -> dict[str, Any] | None:
    """What kumod has of a message that waits: its queue, attempts and when it is due.

    Asked for one message, kumod gives neither attempts nor time; asked for its queue, it does.
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
    told = {name: inner.get(name) for name in ("sender", "recipient", "due", "num_attempts")}
    return {**told, "queue": queue or None}


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
    letters: dict[str, str],
) -> dict[str, Any]:
    first = steps[0] if steps else (waiting or {})
    return {
        "id": message,
        "sender": first.get("sender"),
        "recipient": first.get("recipient"),
        "campaign": (first.get("meta") or {}).get("X-PING8-Campaign-Id"),
        "steps": list(_steps(steps)),
        "over": _is_over(steps),
        "waiting": waiting,
        "dead_letter": letters.get(message),
    }


def _steps(records: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in records:
        response = record.get("response") or {}
        peer = record.get("peer_address") or {}
        source = record.get("source_address") or {}
        yield {
            "time": event_time(record),
            "type": event_type(record),
            "source": record.get("egress_source"),
            "from": source.get("address"),
            "peer": " ".join(filter(None, (peer.get("name"), peer.get("addr")))),
            "code": response.get("code"),
            "answer": response.get("content"),
            "classification": record.get("bounce_classification"),
            "tls": record.get("tls_protocol_version"),
            "attempts": record.get("num_attempts"),
        }
