"""What is kept of refusals, by provider and source: a file that survives restarts and pushes.

Its size has a bound: providers are those of KumoMTA's shaping rules, sources those of the settings.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hostagent import contract, durable
from hostagent.errors import AgentError
from hostagent.reputation.refusal import Refusal

PATH = Path(contract.REPUTATION)

WINDOW = 3600.0
"""Seconds in which enough messages must be refused: a single one is a chance, or its content."""


@dataclass(frozen=True)
class Acknowledged:
    """An operator knows, and works on it until then (Unix time)."""

    by: str
    reason: str
    at: float
    until: float


@dataclass
class Kept:
    """What one provider refuses from one source; the words are those of the last answer.

    `messages` are those that count towards the alarm, no more than it takes. `open` says that it
    has been reached: from then on only an operator ends it.
    """

    provider: str
    source: str
    first: float
    last: float = 0.0
    for_good: int = 0
    for_now: int = 0
    messages: list[str] = field(default_factory=list)
    open: bool = False
    words: str = ""
    link: str = ""
    server: str = ""
    acknowledged: Acknowledged | None = None

    @property
    def alarming(self) -> bool:
        """Nobody has acknowledged it."""
        return self.open and self.acknowledged is None

    def add(self, refusal: Refusal, enough: int) -> None:
        """One more."""
        self.last = max(self.last, refusal.time)
        self.for_good += refusal.for_good
        self.for_now += not refusal.for_good
        self.words, self.link, self.server = refusal.words, refusal.link, refusal.server
        if not self.open and refusal.message not in self.messages:
            self.messages.append(refusal.message)
            self.open = len(self.messages) >= enough


@dataclass
class Refusals:
    """All of them, and the names of the log segments that have been read."""

    read: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def add(self, refusal: Refusal, enough: int) -> None:
        """Counts an answer."""
        pair = (refusal.provider, refusal.source)
        one = next((one for one in self.kept if (one.provider, one.source) == pair), None)
        if one is None:
            one = Kept(provider=refusal.provider, source=refusal.source, first=refusal.time)
            self.kept.append(one)
        one.add(refusal, enough)

    def forget(self, now: float) -> None:
        """What was too little for an alarm, and what is acknowledged and past its time."""
        self.kept = [
            one
            for one in self.kept
            if (one.acknowledged.until > now if one.acknowledged else one.alarming)
            or (not one.open and now - one.first <= WINDOW)
        ]

    def alarming(self) -> list[Kept]:
        """What nobody has acknowledged."""
        return [one for one in self.kept if one.alarming]

    def acknowledge(self, provider: str, source: str | None, note: Acknowledged) -> list[Kept]:
        """Ends the alarm of a provider, for one source or all."""
        found = [
            one
            for one in self.kept
            if one.open and one.provider == provider and source in (None, one.source)
        ]
        if not found:
            known = ", ".join(f"{one.provider} {one.source}" for one in self.kept if one.open)
            raise AgentError(
                f"{provider} does not refuse {source or 'any source'} for its reputation",
                f"name one of: {known}" if known else "nothing is open",
            )
        for one in found:
            one.acknowledged = note
        return found


def read(path: Path = PATH) -> Refusals:
    """What is kept; nothing if there is no file or it is broken."""
    try:
        data = durable.read_json(path)
        return Refusals(read=list(data["read"]), kept=[_kept(one) for one in data["kept"]])
    except (OSError, TypeError, KeyError, AttributeError):
        return Refusals()


def _kept(data: dict[str, Any]) -> Kept:
    note = data.pop("acknowledged")
    return Kept(**data, acknowledged=Acknowledged(**note) if note else None)


@contextmanager
def changed(path: Path = PATH) -> Iterator[Refusals]:
    """What is kept, to change: the timer and operators take turns."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        found = read(path)
        before = asdict(found)
        yield found
        if asdict(found) != before:
            durable.write_json(path, asdict(found))
    finally:
        os.close(descriptor)
