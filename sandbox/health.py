"""Whether every host of a sandbox runs, with every unit of its release."""

import json
from collections.abc import Mapping

from ops.ssh import AGENT
from ops.stack import Deployment
from sandbox.containers import Containers
from sandbox.process import SandboxError

_FAILED = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")


def failed_units(deployment: Deployment, hosts: Containers) -> dict[str, list[str]]:
    """Units by host that failed, or that belong to the release and do not run.

    A stopped host has the single entry `not running`.
    """
    running = hosts.states()
    found = {
        host.name: _failed(hosts, host.instance_id)
        if running.get(host.instance_id)
        else ["not running"]
        for host in deployment.hosts.values()
    }
    return {name: units for name, units in found.items() if units}


def _failed(hosts: Containers, instance: str) -> list[str]:
    listed = hosts.execute(instance, *_FAILED).stdout
    failed = [line.split()[0] for line in listed.splitlines()]
    # A host to which no release was pushed has no agent.
    told = hosts.execute(instance, AGENT, "status", check=False)
    wanted = json.loads(told.stdout)["units"] if told.returncode == 0 else []
    return sorted({*failed, *(each["unit"] for each in wanted if each["active"] != "active")})


def require_healthy(deployment: Deployment, hosts: Containers) -> None:
    """Raises `SandboxError`, one line, with each unit that does not run."""
    if found := failed_units(deployment, hosts):
        raise SandboxError(in_words(found))


def in_words(found: Mapping[str, list[str]]) -> str:
    """One line with the command to find out more."""
    parts = [f"{host}: {', '.join(units)}" for host, units in found.items()]
    host, (unit, *_) = next(iter(found.items()))
    look = f"ping8 sandbox logs {host}" + ("" if " " in unit else f" --unit {unit}")
    return f"units down on {'; '.join(parts)}; see `{look}`"
