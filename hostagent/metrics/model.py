"""Metrics and the counters that they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One number. `dimensions` such as `volume` distinguish metrics of the same name."""

    name: str
    value: float
    unit: str
    dimensions: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As `ping8-agent status` prints it."""
        return {
            "name": self.name,
            "dimensions": dict(self.dimensions),
            "value": round(self.value, 6),
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Counter:
    """A number that only grows until its process restarts, and the flows that it feeds.

    `key` is the same from run to run. Flows are names with dimensions, as sorted pairs.
    """

    key: str
    value: float
    feeds: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class Oldest:
    """The oldest message seen waiting, and the last queue that was sampled in turn."""

    message: str = ""
    visited: str = ""
