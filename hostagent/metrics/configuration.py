"""What the timer must know about its host: a file of the release, without secrets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hostagent import contract
from hostagent.errors import AgentError
from hostagent.metrics.disks import Volume

PATH = Path(contract.METRICS)
OTHER = "other"


@dataclass(frozen=True)
class SentMetric:
    """A metric that CloudWatch gets."""

    name: str
    unit: str
    flow: bool = False
    by: tuple[str, ...] = ()
    absolute: bool = False


@dataclass(frozen=True)
class Config:
    """One host. `send` is off if the settings create no alarms.

    `refusals` is how many messages a provider must refuse for reputation before it is an alarm.
    `listener` is the `ip:port` where the proxy, or kumod by SMTP, must greet.
    """

    environment: str
    host: str
    role: str
    region: str
    namespace: str
    send: bool
    metrics: tuple[SentMetric, ...]
    volumes: Mapping[str, Volume]
    providers: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    listener: str = ""
    kumod: str = ""
    proxy: str = ""
    tls: str = ""
    tls_name: str = ""
    transport: str = ""
    outbox: str = ""
    life: str = ""
    reconciled: str = ""
    dead_letters: str = ""
    inbox: str = ""
    shipped: str = ""
    logs: str = ""
    reputation: str = ""
    refusals: int = 0
    automation: bool = False

    def provider(self, name: str) -> str:
        """Our name for kumod's provider; the rest are `other`."""
        return self.providers.get(name, OTHER)

    def source(self, name: str) -> str:
        """A source of the settings; the rest are `other`, so that metrics stay few."""
        return name if name in self.sources else OTHER


def read(path: Path = PATH) -> Config:
    """The configuration of this host."""
    try:
        data = json.loads(path.read_bytes())
        metrics = tuple(
            SentMetric(**{**entry, "by": tuple(entry.get("by", ()))})
            for entry in data.pop("metrics")
        )
        volumes = {name: Volume(**entry) for name, entry in data.pop("volumes").items()}
        sources = tuple(data.pop("sources", ()))
        return Config(metrics=metrics, volumes=volumes, sources=sources, **data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AgentError(f"{path} cannot be read: {error}", "push again") from None
