"""What recipients and PING8's webhook have, and what is missing or there twice."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fleet.traffic import Traffic
from sandbox.run import Sandbox

_EVENT_ID = "X-PING8-Event-Id"
_KINDS = ("Reception", "Delivery")


class _Lines:
    """The new whole lines of a file that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)


@dataclass
class Ledger:
    """By the local part of the recipient: when it was delivered, and which events came.

    `first_ids` are the ids that the messages had when they were injected.
    """

    sandbox: Sandbox
    delivered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    peers: dict[str, str] = field(default_factory=dict)
    events: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    ids: Counter[str] = field(default_factory=Counter)
    first_ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        folder = self.sandbox.layout.world
        self._mail = _Lines(folder / "mail.jsonl")
        self._calls = _Lines(folder / "webhook.jsonl")

    def read(self) -> None:
        """What has come since the last time."""
        for seen in self._mail.new():
            if seen["message"] is not None:
                name = seen["recipient"].partition("@")[0]
                self.delivered[name].append(seen["time"])
                self.peers[name] = seen["peer"]
        for call in self._calls.new():
            if not call["taken"]:
                continue
            body = json.loads(call["body"])
            for record in body if isinstance(body, list) else [body]:
                headers = {name.lower(): value for name, value in call["headers"].items()}
                self.ids[record.get(_EVENT_ID) or headers[_EVENT_ID.lower()]] += 1
                recipient = record.get("recipient")
                first = recipient[0] if isinstance(recipient, list) else recipient
                name = str(first).partition("@")[0]
                self.events[name].add(record["type"])
                if record["type"] == "Reception":
                    self.first_ids[name] = record["id"]

    def missing(self, traffic: Traffic) -> tuple[list[str], list[tuple[str, str]]]:
        """Messages without a delivery, and events that PING8 does not have."""
        self.read()
        lost = [name for name in traffic.accepted if name not in self.delivered]
        gaps = [
            (name, kind)
            for name in traffic.accepted
            for kind in _KINDS
            if kind not in self.events[name]
        ]
        return lost, gaps


def table(traffic: Traffic, ledger: Ledger) -> Iterator[str]:
    """Rows of Markdown, one for each case."""
    lost, gaps = ledger.missing(traffic)
    twice = [name for name in traffic.accepted if len(ledger.delivered[name]) > 1]
    yield "| while | accepted | lost | twice | twice by the client | events lost | 503 | broken |"
    yield "|---|---|---|---|---|---|---|---|"
    for case in dict.fromkeys(traffic.cases.values()):
        mine = {name for name, which in traffic.cases.items() if which == case}
        repeated = sum(name in mine and name in traffic.unsure for name in twice)
        counts = (
            len(mine),
            sum(name in mine for name in lost),
            sum(name in mine for name in twice) - repeated,
            repeated,
            sum(name in mine for name, _ in gaps),
            traffic.asked_to_wait[case],
            traffic.broken[case],
        )
        yield f"| {case} | {' | '.join(map(str, counts))} |"
    again = sum(count - 1 for count in ledger.ids.values())
    yield f"\nEvents that came again with the same id: {again}."
