"""`ping8 init`."""

from typing import Annotated

import typer

Answer = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The answer; ping8 asks if it is not given.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(init)


def init(
    stack: Annotated[str, typer.Argument(metavar="NAME", help="The new environment.")],
    region: Answer = None,
    zone: Answer = None,
    webhook: Answer = None,
    operators: Answer = None,
    emails: Answer = None,
    ssh_keys: Answer = None,
    domains: Answer = None,
) -> None:
    """Asks for the required settings and writes a stack file that passes preview."""
    from ops import init as work

    answers = {
        "region": region,
        "zone": zone,
        "webhook": webhook,
        "operators": operators,
        "emails": emails,
        "ssh_keys": ssh_keys,
        "domains": domains,
    }
    path = work.init(stack, answers)
    typer.echo(f"{path} was written. Next: pulumi stack init {stack}; pulumi preview -s {stack}")
