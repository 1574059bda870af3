"""`ping8 inbox`: mail to postmaster@, abuse@ and report addresses, and unmatched bounces."""

import datetime
import json

import typer
from rich.markup import escape
from rich.table import Table

from ops.nodes import ask_all, items, total
from ops.output import console
from ops.ssh import ssh_json
from ops.stack import read_deployment
from policy.errors import UsageError

_SECONDS = 120


def inbox(stack: str, *, host: str | None, show: str | None, as_json: bool) -> None:
    """Lists the mail that the MTA hosts keep for people, or shows one message."""
    verb = ["inbox"] if show is None else ["inbox", "--show", show]
    hosts = read_deployment(stack).chosen_mta_hosts(host)
    if show is not None and len(hosts) > 1:
        raise UsageError("--show: set --host, which the list of messages names")
    answers = ask_all(hosts, lambda each: ssh_json(each, verb, limit=_SECONDS))
    if show is not None:
        (found,) = answers.values()
    else:
        messages = sorted(items(answers, "messages"), key=lambda one: -int(one["time"]))
        found = {"count": total(answers.values(), "count"), "messages": messages}
    if as_json:
        typer.echo(json.dumps(found))
        return
    if show is not None:
        for name in ("from", "to", "subject"):
            typer.echo(f"{name.capitalize()}: {found[name]}")
        typer.echo(f"\n{found['text']}")
        return
    several = ["host"] if len(hosts) > 1 else []
    table = Table("time (UTC)", *several, "from", "to", "subject", "id", box=None)
    for message in found["messages"]:
        time = datetime.datetime.fromtimestamp(message["time"], datetime.UTC)
        words = (message[name] for name in (*several, "from", "to", "subject"))
        table.add_row(f"{time:%Y-%m-%d %H:%M}", *map(escape, words), message["id"])
    console().print(table)
    typer.echo(f"{found['count']} in the inbox, {len(found['messages'])} shown", err=True)
