"""Suspensions and bounces by an administrator, as kumod keeps them: in memory, until they expire.

A restart forgets them, and an entry without criteria means every queue.
"""

import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from standins.kumod.durations import parse_duration
from standins.kumod.errors import BadRequest
from standins.kumod.message import QueueName

_PARTS = ("campaign", "tenant", "domain", "routing_domain")


@dataclass(kw_only=True)
class Rule:
    """The queues it covers, why, and until when (monotonic time)."""

    criteria: Mapping[str, str]
    names: frozenset[str]
    reason: str
    expires: float
    suppress_logging: bool
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    bounced: Counter[str] = field(default_factory=Counter)

    def matches(self, queue: str) -> bool:
        """Full queue names take precedence over all other criteria."""
        if self.names:
            return queue in self.names
        parts = QueueName.parse(queue)
        return all(getattr(parts, name) == value for name, value in self.criteria.items())

    def listed(self, *, counts: bool) -> dict[str, Any]:
        """As the list shows it; a bounce also has counts and a routing domain."""
        left = max(0, int(self.expires - time.monotonic()))
        row: dict[str, Any] = {"id": self.id, "reason": self.reason, "duration": f"{left}s"}
        row |= {name: self.criteria.get(name) for name in (_PARTS if counts else _PARTS[:-1])}
        if counts:
            row |= {"bounced": dict(self.bounced), "total_bounced": self.bounced.total()}
        return row


class Rules:
    """Rules of one kind; a new one replaces an older one with the same criteria."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, request: Any) -> Rule:
        """A rule of a request's body. Raises `BadRequest`."""
        if not isinstance(request, dict) or not isinstance(request.get("reason"), str):
            raise BadRequest("Failed to deserialize the JSON body: missing field `reason`")
        seconds = parse_duration(request.get("duration") or "5m")
        if seconds is None:
            raise BadRequest(f"Failed to deserialize the JSON body: {request['duration']!r}")
        rule = Rule(
            criteria={name: request[name] for name in _PARTS if request.get(name) is not None},
            names=frozenset(request.get("queue_names") or ()),
            reason=request["reason"],
            expires=time.monotonic() + seconds,
            suppress_logging=bool(request.get("suppress_logging")),
        )
        same = (rule.criteria, rule.names)
        self._rules = [one for one in self._rules if (one.criteria, one.names) != same] + [rule]
        return rule

    def remove(self, wanted: Any) -> bool:
        """True if there was one with that id."""
        before = self._rules
        self._rules = [one for one in before if one.id != wanted]
        return len(self._rules) < len(before)

    def active(self) -> list[Rule]:
        self._rules = [one for one in self._rules if one.expires > time.monotonic()]
        return self._rules

    def covering(self, queue: str) -> Rule | None:
        """The first rule that covers the queue."""
        return next((one for one in self.active() if one.matches(queue)), None)
