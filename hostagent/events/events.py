"""Verb `events`: lists events, sends them to PING8 again, and finds what a crash lost.

The local logs are the reference after a crash: they have every event, delivered or not, and PING8
recognizes by id what it already has.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostagent.errors import AgentError
from hostagent.events import life
from hostagent.events.dead_letters import DEAD_LETTERS, dead_letters, remove
from hostagent.events.logs import LOGS, records
from hostagent.events.reconcile import KUMOD, REPORT, WEEK, Clock, keep, reconcile
from hostagent.events.record import as_event, event_id, event_time, event_type, is_wanted
from hostagent.events.webhook import ENVIRONMENT, SETTINGS, Webhook, read_environment
from hostagent.report import answer

_FAILURES_IN_A_ROW = 5


@dataclass(frozen=True)
class Places:
    """Paths on an MTA host."""

    store: Path = DEAD_LETTERS
    logs: Path = LOGS
    environment: Path = ENVIRONMENT
    settings: Path = SETTINGS
    life: Path = life.PATH
    report: Path = REPORT
    kumod: str = KUMOD
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True)
class Event:
    """One event; `answer` and `buried` are set only for a dead letter."""

    id: str
    record: dict[str, Any]
    text: str
    answer: str | None = None
    buried: int | None = None


def main(arguments: Sequence[str], places: Places | None = None) -> int:
    """Runs a verb and prints one line of JSON."""
    places = places or Places()
    options = _parser().parse_args(arguments)
    return answer(lambda: _run(options, places))


def _run(options: argparse.Namespace, places: Places) -> dict[str, Any]:
    if options.verb == "reconcile":
        return _reconciled(options, places)
    found = _chosen(options, places)
    return _listed(found, options) if options.verb == "list" else _replayed(found, places)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ping8-agent events")
    parser.add_argument("verb", choices=("list", "replay", "reconcile"))
    parser.add_argument("--logs", action="store_true", help="the local logs, not the dead letters")
    parser.add_argument("--from", dest="first", type=int, default=0, help="Unix time")
    parser.add_argument("--to", dest="last", type=int, default=sys.maxsize, help="Unix time")
    parser.add_argument("--type", dest="types", action="append", default=[])
    parser.add_argument("--domain", dest="domains", action="append", default=[])
    parser.add_argument("--recipient", dest="recipients", action="append", default=[])
    parser.add_argument("--id", dest="ids", action="append", default=[], help="or its start")
    parser.add_argument("--due", action="store_true", help="for reconcile: it clears the request")
    parser.add_argument("--limit", type=int, default=100, help="for list: how many to show")
    return parser


def _chosen(options: argparse.Namespace, places: Places) -> Iterator[Event]:
    """Selects events by the options. A domain is the recipient's or the sender's."""
    span = options.first, options.last
    source = _logged(places, *span) if options.logs else _buried(places)
    for event in source:
        if not options.first <= event_time(event.record) <= options.last:
            continue
        if options.types and event_type(event.record) not in options.types:
            continue
        if options.ids and not event.id.startswith(tuple(options.ids)):
            continue
        wanted = {address.lower() for address in options.recipients}
        if wanted and not _recipients(event.record) & wanted:
            continue
        if options.domains and not _domains(event.record) & set(options.domains):
            continue
        yield event


def _buried(places: Places) -> Iterator[Event]:
    for letter in dead_letters(places.store):
        record = json.loads(letter.record)
        yield Event(letter.event_id, record, letter.record, letter.answer, letter.buried)


def _logged(places: Places, first: int, last: int) -> Iterator[Event]:
    left_out = _settings(places).get("leave_out", {})
    for logged in records(places.logs, first, last):
        if not is_wanted(logged, left_out):
            continue
        record = as_event(logged)
        yield Event(event_id(logged), record, json.dumps(record, ensure_ascii=False))


def _domains(record: dict[str, Any]) -> set[str]:
    addresses = [*_recipients(record), record.get("sender") or ""]
    return {address.rpartition("@")[2].lower() for address in addresses}


def _recipients(record: dict[str, Any]) -> set[str]:
    recipient = record.get("recipient") or ""
    addresses = [recipient] if isinstance(recipient, str) else recipient
    return {address.lower() for address in addresses}


def _listed(found: Iterator[Event], options: argparse.Namespace) -> dict[str, Any]:
    shown: list[dict[str, Any]] = []
    count = 0
    for event in found:
        count += 1
        if len(shown) < options.limit:
            shown.append(_summary(event))
    return {"source": "logs" if options.logs else "dead letters", "count": count, "events": shown}


def _summary(event: Event) -> dict[str, Any]:
    summary = {
        "event_id": event.id,
        "type": event_type(event.record),
        "time": event_time(event.record),
        "recipient": event.record.get("recipient"),
        "id": event.record.get("id"),
        "headers": event.record.get("headers", {}),
    }
    if event.answer is not None:
        summary |= {"answer": event.answer, "buried": event.buried}
    return summary


def _replayed(found: Iterator[Event], places: Places) -> dict[str, Any]:
    """Sends each event; a dead letter that PING8 takes is removed."""
    webhook = Webhook(_environment(places), _settings(places))
    replayed = failed = in_a_row = 0
    answer = ""
    try:
        for event in found:
            result = webhook.post(event.text, event.id)
            if result.taken:
                replayed, in_a_row = replayed + 1, 0
                if event.buried is not None:
                    remove(places.store, event.id)
                continue
            failed, in_a_row, answer = failed + 1, in_a_row + 1, answer or result.text
            if in_a_row == _FAILURES_IN_A_ROW:
                break
    finally:
        webhook.close()
    stopped = in_a_row == _FAILURES_IN_A_ROW
    return {"replayed": replayed, "failed": failed, "answer": answer, "stopped": stopped}


def _environment(places: Places) -> dict[str, str]:
    try:
        return read_environment(places.environment)
    except (OSError, UnicodeError) as error:
        raise AgentError(f"{places.environment} cannot be read: {error}", "push again") from None


def _reconciled(options: argparse.Namespace, places: Places) -> dict[str, Any]:
    """A week by default: a message may have waited that long before its last attempt."""
    first = options.first or places.clock.now() - WEEK
    report = reconcile(first, logs=places.logs, kumod=places.kumod, clock=places.clock)
    keep(report, places.report)
    if options.due:
        state = life.read(places.life)
        state.reconcile = False
        life.write(state, places.life)
    return report


def _settings(places: Places) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(places.settings.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise AgentError(f"{places.settings} cannot be read: {error}", "push again") from None
    return content
