"""`ping8 rollback`: a host goes back to a release that it kept."""

from typing import Annotated, Any

import typer

from ops.ssh import ssh_json
from ops.stack import read_deployment

_LIMIT = 1800


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(rollback)


def rollback(
    stack: Annotated[str, typer.Option(help="The environment.")],
    to: Annotated[
        str | None,
        typer.Option(help="Release id, or its beginning; the one before the live one unless set."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Host; the MTA host unless set.")] = None,
) -> None:
    """Switches a host to a release that it kept, by the same steps as a push."""
    deployment = read_deployment(stack)
    access = deployment.host(host) if host else deployment.mta
    verb = ["rollback", *(["--to", to] if to else [])]
    report: Any = ssh_json(
        access, verb, limit=_LIMIT, progress=lambda line: typer.echo(line, err=True)
    )
    restarted = ", ".join(report["restarted"]) or "nothing"
    typer.echo(f"{access.name}: release {report['release']} is live, {report['previous']} was.")
    typer.echo(f"{len(report['changed'])} files differ; {restarted} restarted or reloaded.")
    typer.echo(
        "The stack does not know: change the settings to what you went back to, or the next "
        "change that `pulumi up` pushes brings the rest of them again."
    )
