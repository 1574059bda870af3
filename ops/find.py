"""`ping8 find`: where a message is, and what happened to it."""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from ops.events import moment
from ops.output import printable
from ops.ssh import ssh_json
from ops.stack import read_deployment

_SECONDS = 600


def find(stack: str, what: str, *, first: str | None, as_json: bool) -> None:
    """Follows a message through logs, queues and dead letters; status 1 where there is none."""
    verb = ["find", what]
    if first is not None:
        now = datetime.datetime.now(datetime.UTC).timestamp()
        verb += ["--from", str(moment(first, now))]
    found: Any = ssh_json(read_deployment(stack).mta, verb, limit=_SECONDS)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for message in found["messages"]:
            for line in lines(message):
                typer.echo(line)
        if found["count"] > len(found["messages"]):
            typer.echo(f"{found['count']} messages; these are the newest {len(found['messages'])}")
        if not found["count"]:
            typer.echo(
                f"{what}: nothing in the logs of this host, its queues or the dead letters. It was "
                "not injected here, its logs are deleted (`logs.keep`), or it is of the last five "
                "minutes and cannot be read yet.",
                err=True,
            )
    if not found["count"]:
        raise typer.Exit(1)


def lines(message: Mapping[str, Any]) -> Iterator[str]:
    """One line a step; what others wrote has no line of its own."""
    recipient = message["recipient"]
    to = recipient if isinstance(recipient, str) else ", ".join(recipient or ())
    campaign = f", campaign {message['campaign']}" if message["campaign"] else ""
    yield printable(f"{message['id']}: {message['sender']} to {to}{campaign}")
    for step in message["steps"]:
        way = f"from {step['source']} to {step['peer']}" if step["source"] else ""
        parts = (
            way,
            f"{step['code'] or ''} {step['answer'] or ''}".strip(),
            f"({step['classification']})"
            if step["classification"] not in {None, "Uncategorized"}
            else "",
            step["tls"] or "",
        )
        rest = ": ".join(part for part in parts if part)
        yield printable(f"  {_time(step['time'])}  {step['type']}  {rest}").rstrip()
    if message["waiting"]:
        waiting = message["waiting"]
        place = f" in queue {waiting['queue']}" if waiting["queue"] else ""
        due = f"; next attempt {waiting['due']}" if waiting["due"] else ""
        yield printable(f"  waits{place}{due}")
    elif not message["over"]:
        yield "  not over, and in no queue that can be asked: see `ping8 status`"
    if message["dead_letter"]:
        yield printable(f"  an event of it is a dead letter: PING8 said {message['dead_letter']}")


def _time(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%F %T}"
