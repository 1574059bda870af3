"""`ping8 find`: where a message is, and what happened to it."""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from hostagent.text import printable_line
from ops.events import moment
from ops.nodes import ask_all, items, total
from ops.ssh import ssh_json
from ops.stack import read_deployment
from policy.settings import Settings

_SECONDS = 600
_WHAT_PING8_HAS = (
    "PING8 got each event, except as noted above; events that are still pending are the event "
    "backlog in `ping8 status -s {stack}`."
)


def find(stack: str, what: str, *, first: str | None, as_json: bool) -> None:
    """Follows a message through logs, queues and dead letters; status 1 if none is found."""
    verb = ["find", what]
    if first is not None:
        now = datetime.datetime.now(datetime.UTC).timestamp()
        verb += ["--from", str(moment(first, now))]
    deployment = read_deployment(stack)
    answers = ask_all(deployment.mta_hosts, lambda host: ssh_json(host, verb, limit=_SECONDS))
    messages = sorted(items(answers, "messages"), key=_begins)
    found: dict[str, Any] = {"count": total(answers.values(), "count"), "messages": messages}
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for message in found["messages"]:
            if len(answers) > 1:
                typer.echo(f"on {message['host']}:")
            for line in lines(message, deployment.settings):
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


def _begins(message: Mapping[str, Any]) -> int:
    """When a host got a message: one that moved to another host has steps on both."""
    return min((step["time"] for step in message["steps"]), default=0)


def lines(message: Mapping[str, Any], settings: Settings | None = None) -> Iterator[str]:
    """One line per step; text from outside cannot start a line."""
    recipient = message["recipient"]
    to = recipient if isinstance(recipient, str) else ", ".join(recipient or ())
    campaign = f", campaign {message['campaign']}" if message["campaign"] else ""
    yield printable_line(f"{message['id']}: {message['sender']} to {to}{campaign}")
    for step in message["steps"]:
        yield printable_line(f"  {_time(step['time'])}  {_step(step)}").rstrip()
        if step["type"] == "Reception" and (keys := signed_by(message["sender"], settings)):
            yield f"  {'':19}  signed by {keys}, as the settings are now"
        if step.get("refused"):
            yield printable_line(f"  {'':19}  PING8 refused this event: {step['refused']}")
    if message["waiting"]:
        waiting = message["waiting"]
        place = f" in {waiting['queue']}" if waiting["queue"] else ""
        due = f"; next attempt {waiting['due']}" if waiting["due"] else ""
        yield printable_line(f"  queued{place}{due}")
        if not message["steps"]:
            yield "  its log may become readable up to a minute late"
    elif not message["over"]:
        yield "  not finished, and in no queue that can be queried: see `ping8 status`"


def _step(step: Mapping[str, Any]) -> str:
    """Injected, or an attempt: source and receiver, the answer, why, and over which TLS."""
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
