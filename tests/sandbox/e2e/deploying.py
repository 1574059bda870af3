"""Changing the running sandbox's settings, and what a deployment then did."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pulumi.automation import ConfigValue, EngineEvent

from sandbox import run
from sandbox.parts import STACK
from sandbox.program import PROJECT

_KILL = 'systemctl stop --no-block "$1"; systemctl kill --signal=KILL "$1"; systemctl stop "$1"'
"""A stop in order would wait for connections: kumoproxy's takes 45 seconds."""

Changes = Mapping[str, str]
"""What the engine did to a resource (`create`, `update`, ...) by the resource's name."""


def deploy(sandbox: run.Sandbox, **options: Any) -> Changes:
    """One `pulumi up`; resources that stayed the same are left out."""
    done: dict[str, str] = {}

    def note(event: EngineEvent) -> None:
        if event.resource_pre_event:
            metadata = event.resource_pre_event.metadata
            if metadata.op.value not in ("same", "read"):
                done[metadata.urn.rsplit("::", 1)[-1]] = metadata.op.value

    sandbox.stack.up(on_output=lambda _line: None, on_event=note, **options)
    return {name: op for name, op in done.items() if not name.endswith(f"-{STACK}")}


@contextlib.contextmanager
def settings(sandbox: run.Sandbox, changes: Mapping[str, Any]) -> Iterator[None]:
    """The stack file with other values; put back, and deployed again, at the end."""
    path = sandbox.layout.state / "project" / "stacks" / f"Pulumi.{STACK}.yaml"
    before = path.read_text()
    stack = yaml.safe_load(before)
    for key, value in changes.items():
        stack["config"][f"{PROJECT}:{key}"] = value
    path.write_text(yaml.safe_dump(stack))
    try:
        yield
    finally:
        path.write_text(before)
        deploy(sandbox)


@contextlib.contextmanager
def secrets(sandbox: run.Sandbox, changes: Mapping[str, str]) -> Iterator[None]:
    """Secret values, set as an operator sets them; taken away, and deployed, at the end."""
    path = sandbox.layout.state / "project" / "stacks" / f"Pulumi.{STACK}.yaml"
    before = path.read_text()
    for key, value in changes.items():
        sandbox.stack.set_config(f"{PROJECT}:{key}", ConfigValue(value=value, secret=True))
    try:
        yield
    finally:
        path.write_text(before)
        deploy(sandbox)


def raw_setting(sandbox: run.Sandbox, key: str) -> Any:
    """A value as the stack file has it."""
    path = sandbox.layout.state / "project" / "stacks" / f"Pulumi.{STACK}.yaml"
    return yaml.safe_load(path.read_text())["config"].get(f"{PROJECT}:{key}")


def on(sandbox: run.Sandbox, host: str, *command: str, check: bool = True) -> str:
    """What a command prints on a host of the stack."""
    instance = sandbox.deployment.host(host).instance_id
    ran = sandbox.hosts.execute(instance, *command, check=check, timeout=60)
    return ran.stdout.strip()


@contextlib.contextmanager
def dead_unit(sandbox: run.Sandbox, host: str, unit: str) -> Iterator[None]:
    """A unit that does not run; started at the end, also on a replaced host."""
    on(sandbox, host, "sh", "-ec", _KILL, "sh", unit)
    try:
        yield
    finally:
        on(sandbox, host, "systemctl", "start", unit)


def process_of(sandbox: run.Sandbox, unit: str, host: str = "mta-1") -> str:
    """The main process of a unit: another number means that it was restarted."""
    return on(sandbox, host, "systemctl", "show", "--property=MainPID", "--value", unit)


def live_release(sandbox: run.Sandbox, host: str = "mta-1") -> str:
    """The release that a host's links lead to."""
    return on(sandbox, host, "readlink", "/opt/ping8/current").rsplit("/", 1)[-1]
