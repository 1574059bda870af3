"""The providers as a background process: AWS's state lives as long as it does."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.process import Daemon, wait_until
from standins.pulumi.endpoints import Endpoints, forget, read

_START_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class MachineSettings:
    """What hosts are made of; paths in text."""

    image: str
    kumomta: str
    trusted: str


@dataclass(frozen=True, kw_only=True)
class AwsListener:
    """Where hosts reach the AWS API over TLS, by a name that leads here."""

    address: str
    port: int
    certificate: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve; `machine` None keeps instances a matter of state alone.

    `address` is this machine as hosts see it: there the metadata service listens.
    """

    address: str = "127.0.0.1"
    machine: MachineSettings | None = None
    aws: AwsListener | None = None


def start(state: Path, settings: Settings | None = None) -> Endpoints:
    """Starts the providers unless they run; again with other settings changes nothing."""
    running = endpoints(state)
    if running is not None:
        return running
    state.mkdir(parents=True, exist_ok=True)
    forget(state)
    write_settings(state, settings or Settings())
    process = _daemon(state)
    process.start()

    def announced() -> bool:
        process.require_alive()
        return read(state) is not None

    wait_until(announced, "the providers", seconds=_START_SECONDS)
    found = read(state)
    assert found is not None  # noqa: S101 - waited for
    return found


def stop(state: Path) -> None:
    """Ends the providers and with them AWS's state; hosts are not touched."""
    _daemon(state).stop()
    forget(state)


def endpoints(state: Path) -> Endpoints | None:
    """Where they listen, while they run."""
    return read(state) if _daemon(state).pid() is not None else None


def write_settings(state: Path, settings: Settings) -> None:
    """Leaves the settings for the process to come."""
    _settings_file(state).write_text(json.dumps(asdict(settings), indent=2) + "\n")


def settings_of(state: Path) -> Settings:
    """The settings that the process was started with."""
    given = json.loads(_settings_file(state).read_text())
    machine, aws = given.pop("machine"), given.pop("aws")
    return Settings(
        **given,
        machine=MachineSettings(**machine) if machine else None,
        aws=AwsListener(**aws) if aws else None,
    )


def _settings_file(state: Path) -> Path:
    return state / "providers-settings.json"


def _daemon(state: Path) -> Daemon:
    # The module by its name needs the checkout on the path, and the process starts elsewhere.
    checkout = Path(__file__).resolve().parents[1]
    script = (
        f"import sys; sys.path.insert(0, {str(checkout)!r});"
        " from sandbox.cloud_main import main; main()"
    )
    command = (sys.executable, "-c", script, str(state.resolve()))
    return Daemon(name="providers", folder=state, command=command)
