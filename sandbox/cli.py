"""`ping8 sandbox`: the platform on this machine."""

import subprocess
import time
from typing import Annotated

import typer
from rich.console import Console

from ops.stack import Deployment
from sandbox import run
from sandbox.layout import Layout
from sandbox.machine import containers

sandbox = typer.Typer(no_args_is_help=True, help="The platform on this machine, without AWS.")


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    app.add_typer(sandbox, name="sandbox")


class _Clock:
    """Prints steps with the seconds since the start."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/dim]  {text}")


@sandbox.command()
def up(
    verbose: Annotated[bool, typer.Option(help="Show Pulumi's own output.")] = False,
) -> None:
    """Brings everything up, deploys, sends one message and checks each step of its journey."""
    clock = _Clock()
    layout = Layout.of_checkout()
    standing = run.up(layout, clock.say, engine_output=typer.echo if verbose else None)
    steps = standing.send("reader@accept.example")
    for step in steps:
        clock.say(f"[green]ok[/green] {step.name}: {step.saw}")
    _summary(standing.deployment, standing.tree.label, len(steps))


@sandbox.command()
def send(
    recipient: Annotated[str, typer.Argument()] = "reader@accept.example",
    sender: Annotated[str | None, typer.Option(help="Address of a sender domain.")] = None,
) -> None:
    """Sends one message and checks its journey."""
    clock = _Clock()
    standing = run.stand(Layout.of_checkout(), clock.say)
    for step in standing.send(recipient, sender=sender):
        clock.say(f"[green]ok[/green] {step.name}: {step.saw}")


@sandbox.command()
def status() -> None:
    """What runs."""
    found = run.status(Layout.of_checkout())
    for name, running in found.items():
        typer.echo(f"{'running' if running else 'stopped':8} {name}")
    raise typer.Exit(0 if found and all(found.values()) else 1)


@sandbox.command()
def logs(
    host: Annotated[str, typer.Argument(help="Host of the stack: mta, proxy-1.")] = "mta",
    unit: Annotated[str | None, typer.Option(help="One systemd unit.")] = None,
    lines: Annotated[int, typer.Option()] = 100,
) -> None:
    """The end of a host's journal."""
    layout = Layout.of_checkout()
    standing = run.stand(layout, lambda _text: None)
    access = standing.deployment.host(host)
    typer.echo(containers(layout).journal(access.instance_id, unit=unit, lines=lines))


@sandbox.command("open")
def open_host(
    host: Annotated[str, typer.Argument(help="Host of the stack: mta, proxy-1.")] = "mta",
) -> None:
    """A shell on a host."""
    layout = Layout.of_checkout()
    standing = run.stand(layout, lambda _text: None)
    name = f"ping8-{standing.deployment.host(host).instance_id}"
    raise typer.Exit(subprocess.call(["podman", "exec", "-it", name, "bash"]))


@sandbox.command()
def down() -> None:
    """Leaves nothing behind but the cache."""
    clock = _Clock()
    run.down(Layout.of_checkout(), clock.say)
    clock.say("gone")


def _summary(deployment: Deployment, kumomta: str, steps: int) -> None:
    typer.echo("")
    typer.echo(f"KumoMTA        {kumomta}")
    typer.echo(f"injection      https://{deployment.settings.mta_host}/api/inject/v1")
    for host in deployment.hosts.values():
        typer.echo(f"{host.name:14} {host.address:15} release {host.release_id}")
    for source in deployment.egress.values():
        typer.echo(f"{source.name:14} {source.public:15} {source.ehlo} via {source.proxy}")
    typer.echo(f"journey        {steps} steps, all right")
    typer.echo("Try: ping8 sandbox send | status | logs | open | down")
