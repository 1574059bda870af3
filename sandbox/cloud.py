"""AWS on this machine: the stand-in providers' process; the account ends with it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from sandbox.authority import Authority, Certificate
from sandbox.files import replace
from sandbox.layout import Layout
from sandbox.machine import Site
from sandbox.network import MACHINE
from sandbox.process import Daemon
from standins.pulumi.endpoints import Endpoints
from standins.pulumi.hosts import Record, Zone

_NAMES = ("amazonaws.com", "*.amazonaws.com", "*.eu-central-1.amazonaws.com")
_FILE = "providers-settings.json"
_ANNOUNCED = "providers.json"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve.

    `address` is this machine as hosts see it: there the metadata service listens and, with a
    certificate `aws`, the AWS API over TLS. With `site` None, instances exist only in the state.
    """

    address: str = "127.0.0.1"
    site: Site | None = None
    aws: Certificate | None = None


_SETTINGS = TypeAdapter(Settings)
_ENDPOINTS = TypeAdapter(Endpoints)


def settings_for(layout: Layout, site: Site) -> Settings:
    """The settings for a sandbox whose hosts are made from `site`."""
    certificate = Authority(folder=layout.authority).issue("aws", *_NAMES, MACHINE)
    return Settings(address=MACHINE, site=site, aws=certificate)


def start(state: Path, settings: Settings | None = None) -> Endpoints:
    """Starts it unless it runs; new settings do not change a running one."""
    if (running := endpoints(state)) is not None:
        return running
    forget(state)
    write_settings(state, settings or Settings())
    # `-m` needs the checkout on the path, and the process starts in another folder.
    python = ("env", f"PYTHONPATH={Path(__file__).resolve().parents[1]}", sys.executable)
    command = (*python, "-m", "sandbox.cloud_main", str(state.resolve()))
    daemon = Daemon(name="providers", folder=state, command=command)
    daemon.start((state / _ANNOUNCED).exists)
    found = endpoints(state)
    assert found is not None  # noqa: S101 - waited for
    return found


def stop(state: Path) -> None:
    """Stops it, which ends the account; hosts are not touched."""
    Daemon(name="providers", folder=state).stop()
    forget(state)


def endpoints(state: Path) -> Endpoints | None:
    """Where its providers listen, while it runs."""
    announced, daemon = state / _ANNOUNCED, Daemon(name="providers", folder=state)
    if daemon.pid() is None or not announced.exists():
        return None
    return _ENDPOINTS.validate_json(announced.read_bytes())


def announce(state: Path, endpoints: Endpoints) -> None:
    """Records where the providers listen."""
    replace(state / _ANNOUNCED, _ENDPOINTS.dump_json(endpoints))


def forget(state: Path) -> None:
    """Removes the record."""
    (state / _ANNOUNCED).unlink(missing_ok=True)


def write_settings(state: Path, settings: Settings) -> None:
    """Writes the settings for the process that starts next."""
    replace(state / _FILE, _SETTINGS.dump_json(settings))


def settings_of(state: Path) -> Settings:
    """The settings that the process was started with."""
    return _SETTINGS.validate_json((state / _FILE).read_bytes())


def zone() -> Zone:
    """AWS's endpoint names, which resolve to this machine."""
    record = Record(name="*.amazonaws.com", type="A", values=(MACHINE,))
    return Zone(name="amazonaws.com", records=(record,))
