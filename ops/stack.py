"""A live deployment, read from its stack outputs."""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BeforeValidator, SecretStr, StringConstraints, TypeAdapter, ValidationError

from ops import engine, state
from ops.local import local_stack
from policy.errors import UserError
from policy.settings import Settings
from policy.settings.export import unpacked

_Address = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+){3}$")]
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
_Key = Annotated[str, StringConstraints(pattern=r"^ssh-[a-z0-9-]+ [A-Za-z0-9+/=]+")]


@dataclass(frozen=True, kw_only=True)
class HostAccess:
    """How to log in to a host, and what it should be running. Addresses are IPv4."""

    name: _Word
    role: Literal["mta", "proxy"]
    address: _Address
    private_address: str
    user: _Word
    host_key: _Key
    instance_id: str
    release_id: str
    ssh_config: str | None = None
    """An OpenSSH client configuration, if the stack has its own key."""


@dataclass(frozen=True, kw_only=True)
class Egress:
    """One egress source as deployed."""

    name: str
    proxy: str
    ehlo: str
    public: str
    private: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The outputs of a stack that operators' tools need; none is secret.

    `alarm_topic` is the SNS topic to which operators are subscribed, `limits_address` the name of
    the server in which several MTA hosts count their limits, `injection_addresses` what the name
    for injection resolves to, and `target_group` the balancer's list of MTA hosts, if there is one.
    """

    stack: str
    settings: Settings
    hosts: Mapping[str, HostAccess]
    egress: Mapping[str, Egress]
    alarm_topic: str | None = None
    limits_address: str | None = None
    injection_addresses: Sequence[str] = ()
    target_group: str | None = None

    @property
    def mta(self) -> HostAccess:
        """The first MTA host, for what any of them can answer."""
        return self.mta_hosts[0]

    @property
    def mta_hosts(self) -> list[HostAccess]:
        """Every MTA host, in the order of their numbers; a `UserError` if there is none."""
        found = [host for host in self.hosts.values() if host.role == "mta"]
        if not found:
            raise UserError(f"stack {self.stack!r}: it has no MTA host yet; run `pulumi up`")
        return sorted(found, key=lambda host: (len(host.name), host.name))

    def chosen_mta_hosts(self, name: str | None) -> list[HostAccess]:
        """The MTA host of that name, or all."""
        if name is None:
            return self.mta_hosts
        host = self.host(name)
        if host.role != "mta":
            names = " or ".join(each.name for each in self.mta_hosts)
            raise UserError(f"host {name!r}: it is no MTA host; use {names}")
        return [host]

    def host(self, name: str) -> HostAccess:
        """A host by name; a `UserError` lists the known ones."""
        if name not in self.hosts:
            raise UserError(f"host {name!r}: not in {self.stack}; use {' or '.join(self.hosts)}")
        return self.hosts[name]


@dataclass(frozen=True, kw_only=True)
class _Outputs:
    settings: Annotated[Settings, BeforeValidator(unpacked)]
    hosts: dict[str, HostAccess]
    egress: dict[str, Egress]
    alarm_topic: str | None = None
    limits_address: str | None = None
    injection_addresses: tuple[str, ...] = ()
    target_group: str | None = None


_OUTPUTS = TypeAdapter(_Outputs)


def from_outputs(stack: str, outputs: Mapping[str, Any]) -> Deployment:
    """Raises `UserError` if the stack was never brought up, or by an older version."""
    told = {
        **outputs,
        "hosts": _named(outputs.get("hosts")),
        "egress": _named(outputs.get("egress")),
    }
    try:
        found = _OUTPUTS.validate_python(told)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(
            f"stack {stack!r}: its output {place} is missing, or from another version of "
            f"ping8-mail; run `{engine.up_command(stack)}` first"
        ) from None
    return Deployment(
        stack=stack,
        settings=found.settings,
        hosts=found.hosts,
        egress=found.egress,
        alarm_topic=found.alarm_topic,
        limits_address=found.limits_address,
        injection_addresses=found.injection_addresses,
        target_group=found.target_group,
    )


def _named(table: object) -> object:
    """Each entry with its name, as the dataclasses have it."""
    if not isinstance(table, dict):
        return table
    return {
        name: {**entry, "name": name, "ssh_config": None} if isinstance(entry, dict) else entry
        for name, entry in table.items()
    }


def _saved(path: Path) -> dict[str, Any]:
    try:
        outputs = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"PING8_OUTPUTS: {path} cannot be read: {error}") from error
    if not isinstance(outputs, dict):
        raise UserError(f"PING8_OUTPUTS: {path} has no table of outputs")
    return outputs


def read_deployment(stack: str, *, folder: Path | None = None) -> Deployment:
    """Asks `pulumi stack output`; `PING8_OUTPUTS` may name a JSON file with the outputs instead.

    Says so if the last update failed; after a first one, what the state has of the hosts is taken.
    Raises `UserError` with Pulumi's own reason.
    """
    saved = os.environ.get("PING8_OUTPUTS")
    outputs = _saved(Path(saved)) if saved else _asked(stack, folder)
    deployment = from_outputs(stack, outputs)
    local = local_stack(stack)
    if local:
        hosts = {
            name: replace(host, ssh_config=local.ssh_config)
            for name, host in deployment.hosts.items()
        }
        deployment = replace(deployment, hosts=hosts)
    found = deployment.settings.environment
    if found != stack:
        place = f"PING8_OUTPUTS: {saved} has" if saved else "Pulumi printed"
        raise UserError(
            f"{place} the outputs of stack {found!r}, but the chosen stack is {stack!r}"
        )
    return deployment


def secret_output(stack: str, name: str, *, folder: Path | None = None) -> SecretStr:
    """One output in plain text, for a command that uses it without showing it."""
    told = _table(stack, engine.ask(stack, "output", "--json", "--show-secrets", folder=folder))
    if not isinstance(told.get(name), str):
        raise UserError(
            f"stack {stack!r}: it has no output {name}; run `{engine.up_command(stack)}`"
        )
    return SecretStr(told[name])


def _asked(stack: str, folder: Path | None) -> dict[str, Any]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        failure = pool.submit(state.failure, stack, folder)
        told = _table(stack, engine.ask(stack, "output", "--json", folder=folder))
    if said := failure.result():
        typer.echo(f"ping8: warning: {said}", err=True)
    return told if "hosts" in told else state.outputs(stack, folder)


def _table(stack: str, told: object) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise UserError(f"stack {stack!r}: `pulumi stack output` printed no table of outputs")
    return told
