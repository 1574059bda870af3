"""`ping8 sandbox`: the platform on this machine."""

import subprocess
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sandbox.run import Sandbox

sandbox = typer.Typer(no_args_is_help=True, help="The platform on this machine, without AWS.")


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
        """Prints each step of a message's journey as it is seen to be right; their number."""
        from rich.markup import escape

        count = 0
        for step in standing.send(recipient, sender=sender):
            self.say(f"[green]ok[/green] {step.name}: {escape(step.saw)}")
            count += 1
        return count


@sandbox.command()
def up(
    verbose: Annotated[bool, typer.Option(help="Show Pulumi's own output.")] = False,
) -> None:
    """Brings everything up, deploys, sends one message and checks each step of its journey."""
    from sandbox import health, run
    from sandbox.layout import Layout
    from sandbox.machine import containers
    from sandbox.summary import lines

    clock = _Clock()
    layout = Layout.of_checkout()
    standing = run.up(layout, clock.say, engine_output=typer.echo if verbose else None)
    deployment = standing.deployment
    steps = clock.steps(standing, "reader@accept.example")
    typer.echo("")
    for line in lines(
        deployment,
        standing.zones,
        kumomta=standing.tree.label,
        stand_ins=standing.stand_ins,
        steps=steps,
    ):
        typer.echo(line)
    health.require_healthy(deployment, containers(layout))
    typer.echo("Try: .venv/bin/ping8 sandbox send | break | status | logs | open | down")
    typer.echo("As in production: .venv/bin/ping8 doctor | status | events list -s sandbox")


@sandbox.command()
def send(
    recipient: Annotated[str, typer.Argument()] = "reader@accept.example",
    sender: Annotated[str | None, typer.Option(help="Address of a sender domain.")] = None,
) -> None:
    """Sends one message and checks its journey."""
    from sandbox import run
    from sandbox.layout import Layout

    _Clock().steps(run.standing(Layout.of_checkout()), recipient, sender=sender)


@sandbox.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What runs, and the units that failed; status 1 unless all is well."""
    import json

    from sandbox import health, run, system
    from sandbox.layout import Layout
    from sandbox.machine import containers

    system.require_fit_system()
    layout = Layout.of_checkout()
    found = run.status(layout)
    well = bool(found) and all(found.values())
    failed: dict[str, list[str]] = {}
    if well:
        failed = health.failed_units(run.standing(layout).deployment, containers(layout))
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
    """Plants a fault, and says where it is seen."""
    from sandbox import breaking, run
    from sandbox.layout import Layout

    fault = breaking.fault(which)
    fault.plant(run.standing(Layout.of_checkout()))
    typer.echo(f"{fault.what}. Look: {', '.join(fault.look)}")
    typer.echo(f"To undo it: ping8 sandbox fix {which}")


@sandbox.command()
def fix(which: Which) -> None:
    """Undoes a fault that `break` planted."""
    from sandbox import breaking, run
    from sandbox.layout import Layout

    fault = breaking.fault(which)
    fault.undo(run.standing(Layout.of_checkout()))
    typer.echo(f"{which}: fixed. It may take some seconds until all commands see it.")


@sandbox.command()
def logs(
    host: Annotated[str, typer.Argument(help="Host of the stack: mta, proxy-1.")] = "mta",
    unit: Annotated[str | None, typer.Option(help="One systemd unit.")] = None,
    lines: Annotated[int, typer.Option()] = 100,
) -> None:
    """The end of a host's journal."""
    from sandbox import run
    from sandbox.layout import Layout
    from sandbox.machine import containers

    layout = Layout.of_checkout()
    standing = run.standing(layout)
    access = standing.deployment.host(host)
    typer.echo(containers(layout).journal(access.instance_id, unit=unit, lines=lines))


@sandbox.command("open")
def open_host(
    host: Annotated[str, typer.Argument(help="Host of the stack: mta, proxy-1.")] = "mta",
) -> None:
    """A shell on a host."""
    from sandbox import run
    from sandbox.layout import Layout

    layout = Layout.of_checkout()
    standing = run.standing(layout)
    name = f"ping8-{standing.deployment.host(host).instance_id}"
    raise typer.Exit(subprocess.call(["podman", "exec", "-it", name, "bash"]))


@sandbox.command()
def down() -> None:
    """Leaves nothing behind but the cache."""
    from sandbox import run, system
    from sandbox.layout import Layout

    system.require_fit_system()
    clock = _Clock()
    run.down(Layout.of_checkout(), clock.say)
    clock.say("gone")
