"""A live deployment as its stack outputs tell it."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, ValidationError

from ops.local import local_stack
from policy.errors import UserError
from policy.settings import Settings

_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class HostAccess:
    """How to log in to a host, and what it should be running. Addresses are IPv4."""

    name: str
    role: Literal["mta", "proxy"]
    address: str
    private_address: str
    user: str
    host_key: str
    instance_id: str
    release_id: str
    ssh_config: str | None = None
    """An OpenSSH client configuration, where the stack brings its own key."""


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
    """The outputs of a stack that operators' tools need; no secret is among them.

    `records_to_publish` are records for domains whose DNS is elsewhere: name, type, value, ttl and
    why.
    """

    stack: str
    settings: Settings
    hosts: Mapping[str, HostAccess]
    egress: Mapping[str, Egress]
    records_to_publish: tuple[Mapping[str, Any], ...] = ()

    @property
    def mta(self) -> HostAccess:
        """The MTA host."""
        return next(host for host in self.hosts.values() if host.role == "mta")

    def host(self, name: str) -> HostAccess:
        """A host by name; a `UserError` names the ones there are."""
        if name not in self.hosts:
            raise UserError(f"host {name!r}: not in {self.stack}; say {' or '.join(self.hosts)}")
        return self.hosts[name]


def from_outputs(stack: str, outputs: Mapping[str, Any]) -> Deployment:
    """Raises `UserError` where the stack was never brought up, or by an older program."""
    try:
        records = outputs["records_to_publish"]
        return Deployment(
            stack=stack,
            settings=Settings.model_validate(outputs["settings"]),
            hosts={
                name: HostAccess(name=name, **_fields(host, HostAccess))
                for name, host in outputs["hosts"].items()
            },
            egress={
                name: Egress(name=name, **_fields(source, Egress))
                for name, source in outputs["egress"].items()
            },
            records_to_publish=tuple(records["records"] if isinstance(records, dict) else records),
        )
    except (KeyError, TypeError) as error:
        raise UserError(
            f"stack {stack!r}: its outputs lack {error}; run `pulumi up -s {stack}` first"
        ) from error
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(
            f"stack {stack!r}: its output settings.{place} is of another version of this program; "
            f"run `pulumi up -s {stack}` first"
        ) from error


def _fields(data: Mapping[str, Any], kind: type[HostAccess] | type[Egress]) -> dict[str, Any]:
    own = {"name", "ssh_config"}
    return {field.name: data[field.name] for field in fields(kind) if field.name not in own}


def _saved(path: Path) -> dict[str, Any]:
    try:
        outputs = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"PING8_OUTPUTS: {path} cannot be read: {error}") from error
    if not isinstance(outputs, dict):
        raise UserError(f"PING8_OUTPUTS: {path} holds no table of outputs")
    return outputs


def read_deployment(stack: str, *, folder: Path | None = None) -> Deployment:
    """Asks `pulumi stack output`; `PING8_OUTPUTS` may name a JSON file with the outputs instead.

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
        place = f"PING8_OUTPUTS: {saved} holds" if saved else "Pulumi told"
        raise UserError(f"{place} the outputs of stack {found!r}, and {stack!r} is asked for")
    return deployment


def secret_output(stack: str, name: str, *, folder: Path | None = None) -> SecretStr:
    """One output in plain text, for a command that uses it and shows it to nobody."""
    told = _asked(stack, folder, "--show-secrets")
    if not isinstance(told.get(name), str):
        raise UserError(f"stack {stack!r}: it has no output {name}; run `pulumi up -s {stack}`")
    return SecretStr(told[name])


def _asked(stack: str, folder: Path | None, *options: str) -> dict[str, Any]:
    local = local_stack(stack)
    program = local.pulumi if local else "pulumi"
    command = [program, "stack", "output", "--json", "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(
            [*command, *options],
            cwd=local.project if local else folder or _checkout(),
            env={**os.environ, **local.environment} if local else None,
            check=True,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        told = json.loads(done.stdout)
    except FileNotFoundError as error:
        raise UserError(f"{program}: not on PATH; install the Pulumi CLI") from error
    except OSError as error:
        raise UserError(f"{program}: it cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"stack {stack!r}: Pulumi did not answer in {_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"stack {stack!r}: {_reason(error)}") from None
    except ValueError:
        raise UserError(f"stack {stack!r}: `pulumi stack output` printed no JSON") from None
    if not isinstance(told, dict):
        raise UserError(f"stack {stack!r}: `pulumi stack output` printed no table of outputs")
    return told


def _reason(error: subprocess.CalledProcessError) -> str:
    if error.returncode < 0:
        return f"Pulumi was ended by signal {-error.returncode}"
    said = error.stderr.strip().splitlines()
    return said[-1] if said else f"Pulumi ended with status {error.returncode} and said nothing"


def _checkout() -> Path:
    """The folder of `Pulumi.yaml`: where we are, or that of this program."""
    here = Path.cwd()
    return here if (here / "Pulumi.yaml").exists() else Path(__file__).resolve().parents[1]
