"""What a drain does next, given what the node still holds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from hostagent.contract import EVENT_QUEUE

LEAVES = 30
"""Seconds until the balancer no longer gives a draining node new connections."""
AT_ONCE = 500
"""Queues in one request for a transfer."""
SETTLES = "messages that change queues"
"""The only wait that may never end: kumod can keep counting messages that have left."""


@dataclass(frozen=True)
class Counts:
    """What a node holds.

    `queues` have mail by queue, `transfers` what waits to leave by target, and `crossing` is what
    leaves right now. `held` is all that kumod holds, also what changes from one queue to another,
    which no other count has.
    """

    queues: Mapping[str, int] = field(default_factory=dict)
    sending: int = 0
    transfers: Mapping[str, int] = field(default_factory=dict)
    crossing: int = 0
    events: int = 0
    held: int = 0
    segments: int = 0
    busy: int = 0
    starting: bool = False

    @property
    def mail(self) -> int:
        """Messages in kumod's scheduled queues."""
        return sum(self.queues.values())

    @property
    def leaving(self) -> int:
        """Messages and events on their way to other nodes."""
        return sum(self.transfers.values()) + self.crossing


@dataclass(frozen=True)
class Step:
    """What to do now, and what the drain then waits for; `done` if nothing is left."""

    refuse: bool = False
    cancel: tuple[str, ...] = ()
    transfer: tuple[tuple[str, tuple[str, ...]], ...] = ()
    waits: str = ""

    @property
    def done(self) -> bool:
        """The node is empty."""
        return not (self.refuse or self.cancel or self.transfer or self.waits)


def next_step(counts: Counts, targets: Sequence[str], *, refusing: bool, age: float) -> Step:
    """The next step of a drain that began `age` seconds ago; `targets` take what it holds."""
    if counts.starting:
        return Step(waits="kumod to open its spool")
    refuse = not refusing and not 0 <= age < LEAVES
    # After a restart kumod lets a message wait as long as it is old: a new transfer does not.
    stuck = not (counts.mail or counts.sending or counts.crossing)
    gone = tuple(sorted(set(counts.transfers) - (set() if stuck else set(targets))))
    queues = dict(counts.queues)
    if not (counts.mail or counts.sending or counts.leaving) and counts.events:
        # Last, since each message that leaves makes events here.
        queues[EVENT_QUEUE] = counts.events
    moving = assigned(queues, targets) if targets else ()
    return Step(refuse, gone, moving, _waits(counts, targets, refusing=refusing))


def _waits(counts: Counts, targets: Collection[str], *, refusing: bool) -> str:
    if not refusing:
        return "the balancer to choose other nodes"
    if counts.busy:
        return "requests in flight"
    if counts.mail or counts.sending:
        return "mail to be transferred" if targets else "mail to be sent"
    if counts.leaving:
        return "the other nodes to take messages"
    if counts.events or counts.segments:
        return "PING8 to take events"
    return SETTLES if counts.held else ""


def assigned(
    queues: Mapping[str, int], targets: Sequence[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each queue goes to the target with the fewest messages so far, the fullest queue first."""
    load = dict.fromkeys(targets, 0)
    names: dict[str, list[str]] = {target: [] for target in targets}
    waiting = (name for name, count in queues.items() if count)
    for name in sorted(waiting, key=lambda one: (-queues[one], one)):
        target = min(load, key=lambda one: load[one])
        load[target] += queues[name]
        names[target].append(name)
    return tuple(
        (target, tuple(found[start : start + AT_ONCE]))
        for target, found in names.items()
        for start in range(0, len(found), AT_ONCE)
    )
