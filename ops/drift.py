"""`ping8 drift`: how hosts differ from the releases that are live on them."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ops.ssh import ssh_json
from ops.stack import HostAccess, read_deployment

_MEND = (
    "`pulumi up` with `push: always` in the stack file puts them right; drifted files are kept "
    "under /opt/ping8/aside."
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(drift)


def drift(
    stack: Annotated[str, typer.Option(help="The environment.")],
    host: Annotated[str | None, typer.Option(help="One host; all unless set.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Lists differences of files, modes, owners and units; status 1 where there are any."""
    deployment = read_deployment(stack)
    hosts = [deployment.host(host)] if host else list(deployment.hosts.values())
    answers = {access.name: _ask(access) for access in hosts}
    if as_json:
        typer.echo(json.dumps(answers))
    else:
        _show(answers)
    if any(answer["differences"] for answer in answers.values()):
        raise typer.Exit(1)


def _ask(access: HostAccess) -> dict[str, Any]:
    answer: dict[str, Any] = ssh_json(access, ["drift"])
    if answer["release"] != access.release_id:
        found = f"is live instead of {access.release_id}, which the stack pushed last"
        row = {"what": answer["release"], "kind": "release", "found": found}
        answer["differences"] = [row, *answer["differences"]]
    return answer


def _show(answers: dict[str, dict[str, Any]]) -> None:
    console = Console()
    rows = [(name, row) for name, answer in answers.items() for row in answer["differences"]]
    if not rows:
        for name, answer in answers.items():
            console.print(f"{name}: is what release {answer['release']} says")
        return
    table = Table("host", "kind", "what", "found")
    for name, row in rows:
        table.add_row(name, row["kind"], row["what"], row["found"])
    console.print(table)
    console.print(_MEND)
