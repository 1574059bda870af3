"""`ping8 upgrade`: updates one host after the other, each MTA host drained."""

import json
import time
from collections.abc import Sequence

import typer

from ops import drain, engine
from ops.output import confirm
from ops.ssh import ssh_json
from ops.stack import Deployment, HostAccess, read_deployment
from policy.errors import UserError

_REASON = "upgrade"
_EACH = 2.0
_HEALTHY = 90
"""After so many looks a host must be healthy again."""


def upgrade(stack: str, *, yes: bool, as_json: bool) -> None:
    """Stops at the first host that is not healthy, and says how to go back."""
    deployment = read_deployment(stack)
    nodes = deployment.mta_hosts
    if len(nodes) < 2:
        raise UserError(
            f"stack {stack!r} has one MTA host, which nobody can replace while it drains; use "
            f"`{engine.up_command(stack)}`"
        )
    begun = [node for node in nodes if _was_begun(node)]
    _, unable = drain.ready([node for node in nodes if node not in begun])
    if unable:
        raise UserError(f"{'; '.join(unable)}; an upgrade begins when each MTA host is healthy")
    hosts = [
        host for host in _in_order(deployment, begun) if host in begun or _changes(stack, host)
    ]
    if hosts:
        if not engine.run(
            stack, "preview", *(word for host in hosts for word in targets(host.name))
        ):
            raise UserError("`pulumi preview` failed; fix what it reports. Nothing was changed")
        names = ", ".join(host.name for host in hosts)
        confirm(f"This updates, one after the other: {names}. MTA hosts drain first.", yes=yes)
    done: list[str] = []
    for host in hosts:
        try:
            _one(stack, host, nodes, done, quiet=as_json)
        except KeyboardInterrupt:
            typer.echo(
                f"\nStopped at {host.name}: `ping8 upgrade --stack {stack}` goes on with it."
                f"{_way_back(stack, done)}",
                err=True,
            )
            raise
        done.append(host.name)
    if as_json:
        typer.echo(json.dumps({"upgraded": done}))
    elif done:
        up = engine.up_command(stack)
        typer.echo(f"Upgraded: {', '.join(done)}. `{up}` does the rest, if any.")
    else:
        typer.echo("Every host has the release of the stack file.")


def targets(host: str) -> list[str]:
    """A host's own resources, such as its instance, and its push, as options of Pulumi."""
    names = (f"**::mail-{host}-*", f"**::mail-release-{host}-push")
    return [word for name in names for word in ("--target", name)]


def _was_begun(node: HostAccess) -> bool:
    """Whether an upgrade that was interrupted left this host draining."""
    try:
        mark = ssh_json(node, ["drain", "show"])["draining"]
    except UserError:
        return False
    return mark is not None and mark["reason"] == _REASON


def _in_order(deployment: Deployment, begun: Sequence[HostAccess]) -> list[HostAccess]:
    """Proxy hosts first: an MTA host's health includes them; then what drains already."""
    hosts = deployment.hosts.values()
    return sorted(hosts, key=lambda host: (host.role == "mta", host not in begun))


def _changes(stack: str, host: HostAccess) -> bool:
    words = ("preview", *targets(host.name), "--expect-no-changes")
    return not engine.run(stack, *words, quiet=True)


def _one(
    stack: str, host: HostAccess, nodes: Sequence[HostAccess], done: Sequence[str], *, quiet: bool
) -> None:
    is_node = host.role == "mta"
    if is_node:
        others = [node for node in nodes if node.name != host.name]
        _, unable = drain.ready(others)
        if unable:
            raise UserError(
                f"{'; '.join(unable)}: {host.name} was left alone.{_way_back(stack, done)}"
            )
        drain.empty(host, others, reason=_REASON, quiet=quiet)
    if not engine.run(stack, "up", *targets(host.name), "--skip-preview", "--yes"):
        drained = (
            f" {host.name} still drains: `ping8 drain {host.name} --back --stack {stack}` when it "
            "is well."
            if is_node
            else ""
        )
        raise UserError(
            f"{host.name}: its update failed (see the lines above; after a failed push a host goes "
            f"back to the release before it).{drained}{_way_back(stack, done)}"
        )
    if is_node:
        _take_back(stack, host, [*done, host.name])


def _take_back(stack: str, host: HostAccess, done: Sequence[str]) -> None:
    """Waits for the host, which may boot, ends its drain, and until a balancer would choose it."""
    why, begun = "it takes no injections", True
    for _ in range(_HEALTHY):
        try:
            if begun:
                drain.undo(host, _REASON)
                begun = False
            if ssh_json(host, ["drain", "show"])["healthy"]:
                return
        except UserError as error:
            why = str(error)
        time.sleep(_EACH)
    raise UserError(f"{host.name}, after its update: {why}.{_way_back(stack, done)}")


def _way_back(stack: str, done: Sequence[str]) -> str:
    if not done:
        return ""
    commands = "; ".join(f"ping8 rollback --host {name} --stack {stack}" for name in done)
    return f" To go back: {commands}"
