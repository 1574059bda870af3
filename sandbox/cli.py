"""`ping8 sandbox`: the platform on this machine."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import Group

if TYPE_CHECKING:
    from sandbox.layout import Layout
    from sandbox.run import Sandbox

sandbox = typer.Typer(
    cls=Group, no_args_is_help=True, help="Runs the platform on this machine, without AWS."
)


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    app.add_typer(sandbox, name="sandbox")


class _Clock:
    """Prints steps with the seconds since the start."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False, soft_wrap=True)
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/dim]  {text}")

    def steps(self, standing: "Sandbox", recipient: str, *, sender: str | None = None) -> int:
        """Prints each checked step of a message's journey and returns the number of steps."""
        from rich.markup import escape

        count = 0
        for step in standing.send(recipient, sender=sender):
            self.say(f"[green]ok[/green] {step.name}: {escape(step.saw)}")
            count += 1
        return count


def _layout() -> "Layout":
    from sandbox.layout import Layout

    return Layout.of_checkout()


def _standing() -> "Sandbox":
    from sandbox import run

    return run.standing(_layout())


@sandbox.command()
def up(
    verbose: Annotated[bool, typer.Option(help="Show Pulumi's own output.")] = False,
    nodes: Annotated[
        int | None,
        typer.Option(min=1, max=5, help="MTA hosts; as many as before unless given, one at first."),
    ] = None,
) -> None:
    """Brings everything up, deploys, sends one message and checks each step of its journey."""
    from sandbox import breaking, health, run

    clock = _Clock()
    for fault in breaking.planted(_layout()):
        clock.say(f"broken on purpose: {fault}; `ping8 sandbox fix {fault}` undoes it")
    standing = run.up(
        _layout(), clock.say, nodes=nodes, engine_output=typer.echo if verbose else None
    )
    health.require_healthy(standing.deployment, standing.hosts)
    steps = clock.steps(standing, "reader@accept.example")
    typer.echo("\n" + run.summary(standing, steps))
    # Checked again: timers have run in the meantime.
    health.require_healthy(standing.deployment, standing.hosts)
    typer.echo("Try: .venv/bin/ping8 sandbox send | break | status | logs | open | down")
    typer.echo("As in production: .venv/bin/ping8 doctor | status | events list -s sandbox")


@sandbox.command()
def send(
    recipient: Annotated[str, typer.Argument()] = "reader@accept.example",
    sender: Annotated[str | None, typer.Option(help="Address of a sender domain.")] = None,
) -> None:
    """Sends one message and checks its journey."""
    _Clock().steps(_standing(), recipient, sender=sender)


@sandbox.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Shows what is running and which units failed; exit status 1 if anything is wrong."""
    from sandbox import health, parts, system

    system.require_fit_system()
    found = parts.status(_layout())
    well = bool(found) and all(found.values())
    failed: dict[str, list[str]] = {}
    if well:
        failed = health.failed_units(parts.deployment(_layout()), parts.Parts(_layout()).hosts)
    if as_json:
        typer.echo(json.dumps({"running": found, "failed_units": failed}))
    else:
        for name, running in found.items():
            typer.echo(f"{'running' if running else 'stopped':8} {name}")
        if failed:
            typer.echo(health.in_words(failed), err=True)
    raise typer.Exit(0 if well and not failed else 1)


Which = Annotated[str, typer.Argument(metavar="FAULT", help="proxy, webhook, dns or disk.")]


@sandbox.command("break")
def break_(which: Which) -> None:
    """Plants a fault and prints the commands that show it."""
    from sandbox import breaking, parts

    fault = breaking.plant(which, parts.Parts(_layout()), parts.deployment(_layout()))
    typer.echo(f"{fault.what}. To find it: {', '.join(fault.look)}")
    typer.echo(f"To undo it: ping8 sandbox fix {which}")


@sandbox.command()
def fix(which: Which) -> None:
    """Undoes a fault that `break` planted."""
    from sandbox import breaking, parts

    breaking.fix(which, parts.Parts(_layout()), parts.deployment(_layout()))
    typer.echo(f"{which}: fixed. Some commands may show it for a few more seconds.")


HostName = Annotated[str, typer.Argument(help="Host of the stack: mta-1, proxy-1.")]


@sandbox.command()
def logs(
    host: HostName = "mta-1",
    unit: Annotated[str | None, typer.Option(help="One systemd unit.")] = None,
    lines: Annotated[int, typer.Option()] = 100,
) -> None:
    """Prints the end of a host's journal."""
    from sandbox import parts

    instance = parts.deployment(_layout()).host(host).instance_id
    typer.echo(parts.Parts(_layout()).hosts.journal(instance, unit=unit, lines=lines))


@sandbox.command("open")
def open_host(host: HostName = "mta-1") -> None:
    """Opens a shell on a host."""
    from sandbox import parts

    instance = parts.deployment(_layout()).host(host).instance_id
    raise typer.Exit(parts.Parts(_layout()).hosts.shell(instance))


@sandbox.command()
def down() -> None:
    """Removes everything except the cache."""
    from sandbox import run, system

    system.require_fit_system()
    clock = _Clock()
    run.down(_layout(), clock.say)
    clock.say("removed")
