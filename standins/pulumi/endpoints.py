"""Where a running set of providers can be reached."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "providers.json"


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Ports on loopback; `moto` and `metadata` may be served at further addresses, too."""

    aws: int
    command: int
    tls: int
    random: int
    moto: int
    metadata: int

    @property
    def debug_providers(self) -> str:
        """The value of PULUMI_DEBUG_PROVIDERS that attaches the engine to them."""
        names = ("aws", "command", "tls", "random")
        return ",".join(f"{name}:{getattr(self, name)}" for name in names)

    @property
    def moto_url(self) -> str:
        """The AWS API's endpoint on this machine."""
        return f"http://127.0.0.1:{self.moto}"


def write(state: Path, endpoints: Endpoints) -> None:
    """Announces the endpoints, whole or not at all."""
    fresh = state / f".{_FILE}"
    fresh.write_text(json.dumps(asdict(endpoints), indent=2) + "\n")
    fresh.replace(state / _FILE)


def read(state: Path) -> Endpoints | None:
    """The announced endpoints, if any."""
    try:
        return Endpoints(**json.loads((state / _FILE).read_text()))
    except FileNotFoundError:
        return None


def forget(state: Path) -> None:
    """Takes the announcement away."""
    (state / _FILE).unlink(missing_ok=True)
