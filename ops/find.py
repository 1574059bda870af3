"""`ping8 find`: where a message is, and what happened to it."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import typer

from hostagent.contract import TRANSFER_QUEUE
from hostagent.text import printable_line
from ops.events import moment
from ops.nodes import ask_all, items, total
from ops.ssh import ssh_json
from ops.stack import HostAccess, read_deployment
from policy.settings import Settings

_SECONDS = 600
Answers = Mapping[str, Mapping[str, Any]]
"""What each host found, by its name."""
_WHAT_PING8_HAS = (
    "PING8 got each event, except as noted above; events that are still pending are the event "
    "backlog in `ping8 status -s {stack}`."
)


def find(stack: str, what: str, *, first: str | None, as_json: bool) -> None:
    """Follows a message through logs, queues and dead letters; status 1 if none is found."""
    since = []
    if first is not None:
        now = datetime.datetime.now(datetime.UTC).timestamp()
        since = ["--from", str(moment(first, now))]
    deployment = read_deployment(stack)
    nodes = deployment.mta_hosts
    answers = _ask(nodes, what, since)
    if moved := _first_id(answers, what):
        # The hosts where it was before do not know this id.
        answers = _ask(nodes, moved, since)
    found = joined(answers)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for message in found["messages"]:
            for line in lines(message, deployment.settings, nodes):
                typer.echo(line)
        if found["count"] > len(found["messages"]):
            typer.echo(f"{found['count']} messages; these are the newest {len(found['messages'])}")
        if not found["count"]:
            typer.echo(
                f"{what}: nothing in the logs, queues or dead letters of {' and '.join(answers)}. "
                "It was not injected there, its logs are deleted (`logs.keep`), or it was "
                "delivered in the last minute, whose log cannot be read yet.",
                err=True,
            )
        else:
            typer.echo(_WHAT_PING8_HAS.format(stack=stack), err=True)
    if not found["count"]:
        raise typer.Exit(1)


def _ask(nodes: Sequence[HostAccess], what: str, since: Sequence[str]) -> Answers:
    return ask_all(nodes, lambda host: ssh_json(host, ["find", what, *since], limit=_SECONDS))


def _first_id(answers: Answers, what: str) -> str | None:
    """The first id of the message that got this one when it moved to another host."""
    found = items(answers, "messages")
    meant = (one["id"] for one in found if what in one.get("ids", ()) and what != one["id"])
    return next(meant, None)


def joined(answers: Answers) -> dict[str, Any]:
    """Each message once, with its steps on all hosts in order, and the host where it waits."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for message in items(answers, "messages"):
        parts.setdefault(message["id"], []).append(message)
    again = sum(len(each) - 1 for each in parts.values())
    return {
        "count": total(answers.values(), "count") - again,
        "messages": sorted(map(_one, parts.values()), key=_begins),
    }


def _one(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A message as one: times are in seconds, so the host where it began comes first."""
    parts.sort(key=lambda part: (_begins(part), not _is_injected(part)))
    steps = [{"host": part["host"], **step} for part in parts for step in part["steps"]]
    waits = [{"host": part["host"], **part["waiting"]} for part in parts if part["waiting"]]
    whole = {name: value for name, value in parts[0].items() if name != "host"}
    return {
        **whole,
        "ids": list(dict.fromkeys(one for part in parts for one in part.get("ids", ()))),
        "hosts": [part["host"] for part in parts],
        "steps": sorted(steps, key=lambda step: int(step["time"])),
        "over": any(part["over"] for part in parts),
        "waiting": waits[-1] if waits else None,
    }


def _begins(message: Mapping[str, Any]) -> int:
    return min((step["time"] for step in message["steps"]), default=0)


def _is_injected(part: Mapping[str, Any]) -> bool:
    return any(step["type"] == "Reception" for step in part["steps"])


def lines(
    message: Mapping[str, Any],
    settings: Settings | None = None,
    nodes: Sequence[HostAccess] = (),
) -> Iterator[str]:
    """One line per step, with its host if there are several; text from outside cannot start one."""
    several = len(nodes) > 1
    width = max((len(node.name) for node in nodes), default=0) + 2 if several else 0
    recipient = message["recipient"]
    to = recipient if isinstance(recipient, str) else ", ".join(recipient or ())
    campaign = f", campaign {message['campaign']}" if message["campaign"] else ""
    yield printable_line(f"{message['id']}: {message['sender']} to {to}{campaign}")
    for step in message["steps"]:
        if step["type"] == "AdminRebind" and _target(step.get("queue"), nodes):
            continue  # the transfer itself follows
        host = f"{step['host']:{width}}" if several else ""
        yield printable_line(f"  {_time(step['time'])}  {host}{_step(step, nodes)}").rstrip()
        if step["type"] == "Reception" and (keys := signed_by(message["sender"], settings)):
            yield f"  {'':19}  signed by {keys}, as the settings are now"
        if step.get("refused"):
            yield printable_line(f"  {'':19}  PING8 refused this event: {step['refused']}")
    if message["waiting"]:
        waiting = message["waiting"]
        on = f" on {waiting['host']}" if several else ""
        place = f" in {waiting['queue']}" if waiting["queue"] else ""
        if target := _target(waiting["queue"], nodes):
            place = f", to be transferred to {target}"
        due = f"; next attempt {waiting['due']}" if waiting["due"] else ""
        yield printable_line(f"  queued{on}{place}{due}")
        if not message["steps"]:
            yield "  its log may become readable up to a minute late"
    elif not message["over"]:
        yield "  not finished, and in no queue that can be queried: see `ping8 status`"


def _target(queue: str | None, nodes: Sequence[HostAccess]) -> str | None:
    """The host that a transfer queue leads to; its address if the stack has none of it."""
    if not queue or not queue.endswith(TRANSFER_QUEUE):
        return None
    address = urlsplit(queue).hostname or queue
    return next((node.name for node in nodes if node.private_address == address), address)


def _step(step: Mapping[str, Any], nodes: Sequence[HostAccess]) -> str:
    """Injected, or an attempt: source and receiver, the answer, why, and over which TLS."""
    if step["type"] == "XferOut":
        return f"transferred to {_target(step.get('queue'), nodes) or 'another MTA host'}"
    if step["type"] == "XferIn":
        return "received from another MTA host"
    if step["type"] == "Reception":
        return f"injected by {step.get('protocol') or 'HTTP'}"
    way = f"from {step['source']} to {step['peer']}" if step["source"] else ""
    answer = f"{step['code'] or ''} {step['answer'] or ''}".strip()
    known = step["classification"] in {None, "Uncategorized", step["type"]}
    parts = (way, answer, "" if known else f"({step['classification']})", step["tls"] or "")
    return f"{step['type']}  {': '.join(part for part in parts if part)}"


def signed_by(sender: object, settings: Settings | None) -> str:
    """Domain and selectors whose keys sign mail with this envelope sender."""
    if settings is None:
        return ""
    place = str(sender).rpartition("@")[2].lower()
    for domain in settings.domains:
        if place in {domain.name, domain.bounce_domain}:
            own = ", ".join(name for name, _ in settings.dkim_of(domain).signing())
            return f"d={domain.name} s={own}"
    return ""


def _time(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%F %T}"
