"""The state between runs of the timer: counters, unsent flows, growth, drift.

Losing it costs one interval of flows and two hours of forecasts, nothing else.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hostagent.metrics.disks import Look
from hostagent.metrics.model import Counter, Metric, Oldest

PATH = Path("/var/lib/ping8/metrics.json")

Flow = tuple[str, tuple[tuple[str, str], ...]]
"""A name with its dimensions."""


@dataclass
class State:
    """Counters as last seen, by key; flows of the last interval, and unsent ones.

    `seen` has the kinds of known counters: the first value of a process is not a flow.
    `silent` counts the runs in which the listener did not greet since it last did or was restarted,
    `revived` the restarts since it last did; `stuck` and `stuck_restarts` are of the spool
    (`stuck.py`), `restarts` systemd's own of each unit.
    """

    at: float = 0.0
    seconds: float = 0.0
    seen: bool = False
    counters: dict[str, float] = field(default_factory=dict)
    flows: dict[Flow, float] = field(default_factory=dict)
    unsent: dict[Flow, float] = field(default_factory=dict)
    growth: dict[str, list[Look]] = field(default_factory=dict)
    oldest: Oldest = field(default_factory=Oldest)
    silent: int = 0
    revived: int = 0
    stuck: int = 0
    stuck_restarts: int = 0
    restarts: dict[str, int] = field(default_factory=dict)
    drift: float | None = None
    drift_at: float = 0.0
    drift_of: str = ""

    def advance(self, counters: Iterable[Counter], now: float) -> None:
        """Turn counters into flows since the last run.

        A counter that was absent counts from 0, and one that fell has restarted.
        """
        found = list(counters)
        self.seconds = max(0.0, now - self.at) if self.at else 0.0
        self.at = now
        self.flows = {}
        if not found:
            return
        for counter in found:
            before = self.counters.get(counter.key, 0.0)
            grown = counter.value - before if counter.value >= before else counter.value
            for flow in counter.feeds:
                self.flows[flow] = self.flows.get(flow, 0.0) + (grown if self.seen else 0.0)
        self.seen = True
        self.counters = {counter.key: counter.value for counter in found}
        for flow, grown in self.flows.items():
            self.unsent[flow] = self.unsent.get(flow, 0.0) + grown

    def add(self, name: str, value: float, by: tuple[tuple[str, str], ...] = ()) -> None:
        """A flow of this run that no counter feeds."""
        flow: Flow = (name, by)
        self.flows[flow] = self.flows.get(flow, 0.0) + value
        self.unsent[flow] = self.unsent.get(flow, 0.0) + value


def metrics(flows: Mapping[Flow, float], unit: str = "Count") -> list[Metric]:
    """Flows as metrics."""
    return [Metric(name, value, unit, dict(by)) for (name, by), value in flows.items()]


def read(path: Path = PATH) -> State:
    """The state; a new one if none can be read."""
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        return State(
            **{
                **data,
                "flows": _parsed(data["flows"]),
                "unsent": _parsed(data["unsent"]),
                "growth": {
                    name: [(look[0], look[1], look[2]) for look in looks]
                    for name, looks in data["growth"].items()
                },
                "oldest": Oldest(**data["oldest"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return State()


def write(state: State, path: Path = PATH) -> None:
    """Written completely or not at all; not worth waiting for the disk."""
    data = {key: value for key, value in vars(state).items() if key not in ("flows", "unsent")}
    data |= {
        "oldest": asdict(state.oldest),
        "flows": _listed(state.flows),
        "unsent": _listed(state.unsent),
    }
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(data), encoding="utf-8")
    fresh.replace(path)


def _listed(flows: Mapping[Flow, float]) -> list[list[Any]]:
    return [[name, list(by), value] for (name, by), value in flows.items()]


def _parsed(rows: list[Any]) -> dict[Flow, float]:
    return {
        (name, tuple((key, text) for key, text in by)): float(value) for name, by, value in rows
    }
