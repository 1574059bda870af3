"""Whether every host of a standing sandbox is well: each runs, and no unit of it failed."""

from collections.abc import Mapping

from ops.stack import Deployment
from sandbox.containers import Containers
from sandbox.process import SandboxError


def failed_units(deployment: Deployment, hosts: Containers) -> dict[str, list[str]]:
    """Failed systemd units by host; a host that does not run is `not running` itself."""
    running, found = hosts.states(), {}
    for host in deployment.hosts.values():
        found[host.name] = ["not running"]
        if running.get(host.instance_id):
            listing = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
            listed = hosts.execute(host.instance_id, *listing).stdout
            found[host.name] = [line.split()[0] for line in listed.splitlines()]
    return {name: units for name, units in found.items() if units}


def require_healthy(deployment: Deployment, hosts: Containers) -> None:
    """Raises `SandboxError`, one line, with each unit that failed."""
    if found := failed_units(deployment, hosts):
        raise SandboxError(in_words(found))


def in_words(found: Mapping[str, list[str]]) -> str:
    """One line with the commands that say more."""
    parts = [f"{host}: {', '.join(units)}" for host, units in found.items()]
    host, (unit, *_) = next(iter(found.items()))
    look = f"ping8 sandbox logs {host}" + ("" if " " in unit else f" --unit {unit}")
    return f"units failed on {'; '.join(parts)}; see `{look}`"
