"""`ping8 drift`: how hosts differ from the releases that are live on them."""

import json
from collections.abc import Mapping
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from ops.drain import since
from ops.nodes import ask_all
from ops.output import console
from ops.ssh import ssh_json
from ops.stack import HostAccess, read_deployment

_FIX = (
    "`pulumi up` with `push: always` in the stack file fixes them; drifted files are kept under "
    "/opt/ping8/backup."
)


def drift(stack: str, *, host: str | None, as_json: bool) -> None:
    """Differences of files, modes, owners and units; status 1 if there are any, or no answer."""
    deployment = read_deployment(stack)
    hosts = [deployment.host(host)] if host else list(deployment.hosts.values())
    answers = ask_all(hosts, _ask)
    if as_json:
        typer.echo(json.dumps(answers))
    else:
        _show(answers)
    if len(answers) < len(hosts) or any(answer["differences"] for answer in answers.values()):
        raise typer.Exit(1)


def _ask(access: HostAccess) -> dict[str, Any]:
    answer: dict[str, Any] = ssh_json(access, ["drift"])
    if answer["release"] != access.release_id:
        found = f"is live instead of {access.release_id}, the stack's last push"
        row = {"what": answer["release"], "kind": "release", "found": found}
        answer["differences"] = [row, *answer["differences"]]
    return answer


def _show(answers: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [(name, row) for name, answer in answers.items() for row in answer["differences"]]
    for name, answer in answers.items():
        if not answer["differences"]:
            typer.echo(f"{name}: matches release {answer['release']}")
        if answer.get("draining"):
            typer.echo(f"{name}: {since(answer['draining'])}")
    if not rows:
        return
    table = Table.grid(padding=(0, 2))
    for name, row in rows:
        table.add_row(*map(Text, (name, row["kind"], row["what"], row["found"])))
    console().print(table)
    typer.echo(_FIX)
