"""`ping8 rotate`."""

from enum import StrEnum
from typing import Annotated

import typer

from ops.cli.options import Group, Json, Stack, Yes, chosen


class Token(StrEnum):
    """Tokens that rotate."""

    injection = "injection"
    webhook = "webhook"


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(
        cls=Group, no_args_is_help=True, help="Rotates DKIM keys and tokens in safe steps."
    )
    group.callback()(lambda: None)
    group.command("dkim")(dkim)
    group.command("token")(token)
    app.add_typer(group, name="rotate")


def dkim(
    stack: Stack = None,
    brand: Annotated[
        str | None, typer.Option("--brand", metavar="NAME", help="Only this brand's keys.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="NAME", help="Only this domain's own keys.")
    ] = None,
    leaked: Annotated[
        bool,
        typer.Option(
            "--leaked",
            help="The key that signs is known to others: replace it at once. Mail in flight "
            "that it signed fails DKIM.",
        ),
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(
            "--every",
            metavar="DURATION",
            help="Begin only if the key has signed this long, such as 180d.",
        ),
    ] = None,
    as_json: Json = False,
    yes: Yes = False,
) -> None:
    """Writes the next safe step of a rotation of DKIM keys to the stack file.

    Run it, `pulumi up`, and run it again until it waits for nothing. Status 0: a step was written
    or only time must pass; 1: `pulumi up` or a missing DNS record is next.
    """
    from ops.rotate import command as work

    wishes = work.Wishes(
        brand=brand, domain=domain, leaked=leaked, every=every, yes=yes, as_json=as_json
    )
    work.dkim(chosen(stack), wishes)


def token(
    which: Annotated[Token, typer.Argument(metavar="injection|webhook")],
    stack: Stack = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="PING8 has done its part: drop the old token.")
    ] = False,
    as_json: Json = False,
    yes: Yes = False,
) -> None:
    """Writes the next step of a token's rotation to the stack file.

    The first step makes a new token, the second, with --ready, drops the old one. Status 1:
    `pulumi up`, or PING8, is next.
    """
    from ops.rotate import tokens as work

    work.rotate(chosen(stack), work.Kind(which.value), ready=ready, yes=yes, as_json=as_json)
