"""What `ping8-agent status` says of a host."""

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
    """Release, units, and figures by name and dimension; `missing` says why a figure is not there.

    `owed` is the release that an interrupted switch was going to.
    """

    release: str | None
    version: str | None
    units: Sequence[Unit] = ()
    owed: str | None = None
    figures: Mapping[tuple[str, str], float] = field(default_factory=dict)
    missing: Sequence[str] = ()

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "HostStatus":
        """From the agent's JSON."""
        owed = answer.get("owed")
        return cls(
            release=answer.get("release"),
            version=answer.get("kumomta"),
            units=[
                Unit(name=each["unit"], active=each["active"], restarts=each.get("restarts", 0))
                for each in answer.get("units", [])
            ],
            owed=owed["target"] if owed else None,
            figures={
                (each["name"], ",".join(each.get("dimensions", {}).values())): float(each["value"])
                for each in answer.get("figures", [])
            },
            missing=answer.get("missing", []),
        )

    def figure(self, name: str, dimension: str = "") -> float | None:
        """One figure; None where the host does not have it."""
        return self.figures.get((name, dimension))

    def each(self, name: str) -> dict[str, float]:
        """A figure by its dimension (volumes, for instance)."""
        return {of: value for (figure, of), value in self.figures.items() if figure == name}

    @property
    def why_missing(self) -> str:
        """For a check whose figure is not there."""
        return "; ".join(self.missing) or "the host does not tell it"
