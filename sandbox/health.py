"""Whether every host of a standing sandbox is well: no unit failed, none of the release is down."""

from collections.abc import Iterator, Mapping

from ops.stack import Deployment
from sandbox.containers import Containers
from sandbox.process import SandboxError


def failed_units(deployment: Deployment, hosts: Containers) -> dict[str, list[str]]:
    """Failed systemd units by host; a host that does not run is `not running` itself."""
    running = set(hosts.names())
    return {
        host.name: found
        for host in deployment.hosts.values()
        if (
            found := list(_failed(hosts, host.instance_id))
            if host.instance_id in running and hosts.running(host.instance_id)
            else ["not running"]
        )
    }


def _failed(hosts: Containers, instance: str) -> Iterator[str]:
    listed = hosts.execute(
        instance, "systemctl", "list-units", "--state=failed", "--plain", "--no-legend"
    ).stdout
    for line in listed.splitlines():
        yield line.split()[0]


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
