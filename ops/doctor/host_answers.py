"""What the verbs of `ping8-agent` print: `status` and `dial`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A systemd unit of the release: its state in systemd's words, and its restarts."""

    name: str
    active: str
    restarts: int = 0

    @property
    def up(self) -> bool:
        """Whether it runs, or is about to."""
        return self.active in ("active", "activating", "reloading")


@dataclass(frozen=True, kw_only=True)
class HostStatus:
    """Release, units, metrics by name and dimension, and in `missing` why a metric is missing.

    `pending` is the release that an interrupted switch was going to, `refusals` who refuses which
    source for its reputation, `draining` who drains it and since when.
    """

    release: str | None
    version: str | None
    units: Sequence[Unit] = ()
    pending: str | None = None
    metrics: Mapping[tuple[str, str], float] = field(default_factory=dict)
    missing: Sequence[str] = ()
    refusals: Sequence[Mapping[str, Any]] = ()
    draining: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "HostStatus":
        """From the agent's JSON."""
        pending = answer.get("pending")
        return cls(
            release=answer.get("release"),
            version=answer.get("kumomta"),
            units=[
                Unit(name=each["unit"], active=each["active"], restarts=each.get("restarts", 0))
                for each in answer.get("units", [])
            ],
            pending=pending["target"] if pending else None,
            metrics={
                (each["name"], ",".join(each.get("dimensions", {}).values())): float(each["value"])
                for each in answer.get("metrics", [])
            },
            missing=answer.get("missing", []),
            refusals=answer.get("reputation", []),
            draining=answer.get("draining"),
        )

    def metric(self, name: str, dimension: str = "") -> float | None:
        """One metric; None if the host does not have it."""
        return self.metrics.get((name, dimension))

    def each(self, name: str) -> dict[str, float]:
        """A metric by its dimension (volumes, for instance)."""
        return {of: value for (metric, of), value in self.metrics.items() if metric == name}

    @property
    def why_missing(self) -> str:
        """For a check whose metric is not there."""
        return "; ".join(self.missing) or "the host does not tell it"


@dataclass(frozen=True, kw_only=True)
class Dial:
    """What `ping8-agent dial` reports of one conversation, bound to a source's private address."""

    exchanger: str
    connected: bool
    resolved: bool = True
    error: str = ""
    greeting: str = ""
    ehlo_accepted: bool = False
    ehlo_answer: str = ""
    seen_address: str = ""

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Dial":
        """From the agent's JSON."""
        return cls(**{name: answer[name] for name in cls.__dataclass_fields__ if name in answer})
