"""`ping8 events`: lists events on the MTA hosts, sends them again, finds events lost in a crash."""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from hostagent.text import printable_line
from ops.nodes import NOT_DONE, ask_all, items, total
from ops.output import confirm
from ops.ssh import ssh_json
from ops.stack import HostAccess, read_deployment
from policy.errors import UsageError

_LIST_SECONDS = 600
_REPLAY_SECONDS = 4 * 3600
_RECONCILE_SECONDS = 2 * 3600
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which events: from the local logs or the dead letters, and by what."""

    logs: bool = False
    first: str | None = None
    last: str | None = None
    types: Sequence[str] = ()
    domains: Sequence[str] = ()
    recipients: Sequence[str] = ()
    ids: Sequence[str] = ()


def list_events(stack: str, choice: Choice, *, limit: int, as_json: bool) -> None:
    """One line per event."""
    verb = ["events", "list", *_filters(choice), "--limit", str(limit)]
    hosts = read_deployment(stack).mta_hosts
    answers = ask_all(hosts, lambda host: ssh_json(host, verb, limit=_LIST_SECONDS))
    events = sorted(items(answers, "events"), key=lambda event: int(event["time"]))[-limit:]
    found = {
        "count": total(answers.values(), "count"),
        "source": next(iter(answers.values()))["source"],
        "events": events if limit else [],
    }
    if as_json:
        typer.echo(json.dumps(found))
        return
    for event in found["events"]:
        typer.echo(_on(event, hosts) + _line(event))
    typer.echo(f"{found['count']} in the {found['source']}, {len(found['events'])} shown", err=True)


def replay(stack: str, choice: Choice, *, yes: bool, as_json: bool) -> None:
    """Sends events to PING8 again; status 1 if it did not accept all."""
    if choice.logs and choice.first is None:
        raise UsageError("--logs: add --from, or every event in the logs would be sent")
    hosts = read_deployment(stack).mta_hosts
    filters = _filters(choice)
    count = ["events", "list", *filters, "--limit", "0"]
    counted = ask_all(hosts, lambda host: ssh_json(host, count, limit=_LIST_SECONDS))
    source = next(iter(counted.values()))["source"]
    confirm(
        f"{total(counted.values(), 'count')} events of the {source} will be sent to PING8 again.",
        yes=yes,
    )
    again = ["events", "replay", *filters]
    answers = ask_all(
        [host for host in hosts if host.name in counted],
        lambda host: ssh_json(host, again, limit=_REPLAY_SECONDS),
        without=NOT_DONE,
    )
    done = {
        "replayed": total(answers.values(), "replayed"),
        "failed": total(answers.values(), "failed"),
        "stopped": any(one["stopped"] for one in answers.values()),
        "answer": next((one["answer"] for one in answers.values() if one["failed"]), None),
    }
    if as_json:
        typer.echo(json.dumps(done))
    else:
        typer.echo(f"{done['replayed']} events sent")
    if done["failed"]:
        rest = "; stopped there" if done["stopped"] else ""
        typer.echo(f"{done['failed']} not accepted: {done['answer']}{rest}", err=True)
        raise typer.Exit(1)


def reconcile(stack: str, first: str | None, *, as_json: bool) -> None:
    """One line per message with an unknown outcome; status 1 if there is any."""
    verb = ["events", "reconcile", *_filters(Choice(first=first))]
    hosts = read_deployment(stack).mta_hosts
    answers = ask_all(hosts, lambda host: ssh_json(host, verb, limit=_RECONCILE_SECONDS))
    counts = ("received", "settled", "waiting", "unknown")
    found: dict[str, Any] = {name: total(answers.values(), name) for name in counts}
    found["messages"] = items(answers, "messages")
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for message in found["messages"]:
            typer.echo(_on(message, hosts) + _unknown(message))
        typer.echo(
            f"{found['received']} received: {found['settled']} have a final event, "
            f"{found['waiting']} still queued, {found['unknown']} with an unknown outcome",
            err=True,
        )
    if found["unknown"]:
        raise typer.Exit(1)


def moment(text: str, now: float) -> int:
    """Unix time of an ISO 8601 time (UTC by default) or of a duration ago."""
    ago = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if ago:
        return int(now) - int(ago[1]) * _UNITS[ago[2]]
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r}: write a time such as 2026-12-01T10:00Z, or 2h") from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=datetime.UTC)
    return int(parsed.timestamp())


def _filters(choice: Choice) -> list[str]:
    now = datetime.datetime.now(datetime.UTC).timestamp()
    words = ["--logs"] if choice.logs else []
    for option, time in (("--from", choice.first), ("--to", choice.last)):
        if time is not None:
            words += [option, str(moment(time, now))]
    several = (
        ("--type", choice.types),
        ("--domain", choice.domains),
        ("--recipient", choice.recipients),
        ("--id", choice.ids),
    )
    for option, values in several:
        for value in values:
            words += [option, value]
    return words


def _on(found: Mapping[str, Any], hosts: Sequence[HostAccess]) -> str:
    """Where it is, if there are several hosts."""
    return f"{found['host']}  " if len(hosts) > 1 else ""


def _line(event: dict[str, Any]) -> str:
    """Time, type, recipient, campaign, id and answer; text from outside cannot start a line."""
    words = (
        _time(event),
        event["type"],
        _recipient(event),
        str(event["headers"].get("X-PING8-Campaign-Id", "-")),
        event["event_id"][:12],
        event.get("answer", ""),
    )
    return printable_line("  ".join(words)).rstrip()


def _unknown(message: dict[str, Any]) -> str:
    """Time, recipient, PING8's id and kumod's id."""
    own = str(message["headers"].get("X-PING8-Message-Id", "-"))
    words = (_time(message), _recipient(message), own, message["id"])
    return printable_line("  ".join(words)).rstrip()


def _time(found: dict[str, Any]) -> str:
    return f"{datetime.datetime.fromtimestamp(found['time'], datetime.UTC):%F %T}"


def _recipient(found: dict[str, Any]) -> str:
    recipient = found["recipient"]
    return recipient if isinstance(recipient, str) else ", ".join(recipient or ())
