"""`ping8 inbox`: mail to postmaster@, abuse@ and report addresses, and unmatched bounces."""

import datetime
import json
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from ops.output import console
from ops.ssh import ssh_json
from ops.stack import read_deployment

_SECONDS = 120


def inbox(stack: str, *, show: str | None, as_json: bool) -> None:
    """Lists the mail that the MTA host keeps for people, or shows one message."""
    verb = ["inbox"] if show is None else ["inbox", "--show", show]
    found: Any = ssh_json(read_deployment(stack).mta, verb, limit=_SECONDS)
    if as_json:
        typer.echo(json.dumps(found))
        return
    if show is not None:
        for name in ("from", "to", "subject"):
            typer.echo(f"{name.capitalize()}: {found[name]}")
        typer.echo(f"\n{found['text']}")
        return
    table = Table("time (UTC)", "from", "to", "subject", "id", box=None)
    for message in found["messages"]:
        time = datetime.datetime.fromtimestamp(message["time"], datetime.UTC)
        words = (message["from"], message["to"], message["subject"])
        table.add_row(f"{time:%Y-%m-%d %H:%M}", *map(escape, words), message["id"])
    console().print(table)
    typer.echo(f"{found['count']} in the inbox, {len(found['messages'])} shown", err=True)
