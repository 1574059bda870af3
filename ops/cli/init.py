"""`ping8 init`."""

from typing import Annotated, Any

import typer

from ops.questions import QUESTIONS


def _option(key: str) -> Any:
    return typer.Option(metavar="TEXT", help=f"{QUESTIONS[key]}.")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(init)


def init(
    stack: Annotated[str, typer.Argument(metavar="NAME", help="The new environment.")],
    region: Annotated[str | None, _option("region")] = None,
    zone: Annotated[str | None, _option("zone")] = None,
    webhook: Annotated[str | None, _option("webhook")] = None,
    operators: Annotated[str | None, _option("operators")] = None,
    emails: Annotated[str | None, _option("emails")] = None,
    ssh_keys: Annotated[str | None, _option("ssh_keys")] = None,
    domains: Annotated[str | None, _option("domains")] = None,
) -> None:
    """Asks for the required settings and writes a stack file that passes preview.

    It does not ask for what an option gives.
    """
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
