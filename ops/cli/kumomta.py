"""`ping8 kumomta`."""

from typing import Annotated

import typer

from ops.cli.options import Group, Stack, chosen


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(
        cls=Group, no_args_is_help=True, help="Manages the KumoMTA version that hosts install."
    )
    group.callback()(lambda: None)
    group.command("pin")(pin)
    app.add_typer(group, name="kumomta")


def pin(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="A release such as 2026.09.29-b90d8bc1.")
    ],
    stack: Stack = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Accept a key that differs from the pinned one.")
    ] = False,
) -> None:
    """Writes version, key and digests from KumoMTA's repository to the stack file."""
    from ops import pin as work

    name = chosen(stack)
    found = work.pin(name, version, new_key=new_key)
    typer.echo(f"Pulumi.{name}.yaml: kumomta {version}, signed by {found.pin.fingerprint}")
    for processor, digest in found.pin.digests.items():
        typer.echo(f"  {processor}: {digest}")
    for missing in found.missing:
        typer.echo(f"  {missing}: not in the repository, so hosts cannot have that processor")
