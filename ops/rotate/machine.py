"""The next safe step of a rotation of DKIM keys: a pure function of what is written and seen.

| key in the idle selector | next step | after |
|---|---|---|
| signed before | a new key in its place | its last mail has left: `max_age`, and `MARGIN` |
| new | note when DNS has it | every authoritative server has it |
| new, and seen | sign with it | no resolver has an earlier answer: `CACHED` |

Nothing happens until the hosts run what is written.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from policy.dns.plan import KEY_TTL
from policy.settings.base import MOMENT
from policy.settings.dkim import DkimKeys

CACHED = datetime.timedelta(seconds=KEY_TTL)
"""How long resolvers may keep an earlier answer about a key."""
MARGIN = datetime.timedelta(hours=1)
"""For keys that kumod caches, and for the last attempt of a message."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was found: whether the hosts run what is written, and selectors that DNS lacks."""

    now: datetime.datetime
    applied: bool
    lacking: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the operator wants. `every`: only if the key has signed that long."""

    max_age: datetime.timedelta
    leaked: bool = False
    every: datetime.timedelta = datetime.timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Values to write into `dkim`, and why."""

    kind: str
    why: str
    writes: Mapping[str, object]
    gives_up: str = ""
    waits: bool = field(default=False, init=False)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What the rotation waits for, and until when if that is known."""

    kind: str
    why: str
    until: datetime.datetime | None = None
    waits: bool = field(default=True, init=False)


def next_step(keys: DkimKeys, seen: Seen, wish: Wish) -> Step | Wait:
    """The one thing to do now."""
    if not seen.applied:
        return Wait(kind="up", why="the hosts do not run what is written yet")
    if wish.leaked and _may_sign(keys, seen):
        return _flee(keys, seen)
    if is_old(keys):
        return _replace(keys, seen, wish)
    return _advance(keys, seen, wish)


def is_old(keys: DkimKeys) -> bool:
    """Whether the idle key may have signed mail: it is not newer than the active one's turn."""
    made = keys.made.get(keys.idle_selector)
    if made is None:
        return keys.active is not None
    return made < keys.seen.get(keys.active_selector, "")


def signs_since(keys: DkimKeys) -> datetime.datetime | None:
    """When the active key was seen to sign in its present turn."""
    since = keys.since.get(keys.active_selector, "")
    turn = keys.seen.get(keys.active_selector, "")
    return _time(since) if since and since >= turn else None


def _seen_since(keys: DkimKeys) -> datetime.datetime | None:
    """When all servers had the idle key that is there now."""
    seen = keys.seen.get(keys.idle_selector, "")
    made = keys.made.get(keys.idle_selector, "")
    return _time(seen) if seen > made else None


def _may_sign(keys: DkimKeys, seen: Seen) -> bool:
    """Whether every receiver finds the idle key. The first one has been there from the start."""
    idle = keys.idle_selector
    if idle in seen.lacking:
        return False
    since = _seen_since(keys)
    return since + CACHED <= seen.now if since else idle not in keys.made


def _flee(keys: DkimKeys, seen: Seen) -> Step:
    """Sign with the other key, and replace the leaked one in the same update."""
    idle, active, now = keys.idle_selector, keys.active_selector, _text(seen.now)
    return Step(
        kind="leaked",
        why=f"{idle} signs, and {active} gets a new key at once",
        writes={
            "active": idle,
            "made": {**keys.made, active: now},
            "seen": {**keys.seen, idle: now},
        },
        gives_up=f"mail in flight that {active} signed fails DKIM; it passes DMARC if SPF aligns",
    )


def _replace(keys: DkimKeys, seen: Seen, wish: Wish) -> Step | Wait:
    idle, active = keys.idle_selector, keys.active_selector
    since = signs_since(keys)
    if since is None and not wish.leaked:
        return Step(
            kind="signs",
            why=f"{active} signs now; {idle} is kept for mail in flight",
            writes={"since": {**keys.since, active: _text(seen.now)}},
        )
    until = since + wish.max_age + MARGIN if since else seen.now
    if seen.now < until and not wish.leaked:
        return Wait(kind="mail", why=f"mail that {idle} signed may still be in flight", until=until)
    return Step(
        kind="make",
        why=f"{idle} gets a new key",
        writes={"made": {**keys.made, idle: _text(seen.now)}},
        gives_up=f"mail in flight that {idle} signed fails DKIM; it passes DMARC if SPF aligns"
        if seen.now < until or since is None
        else "",
    )


def _advance(keys: DkimKeys, seen: Seen, wish: Wish) -> Step | Wait:
    idle, active = keys.idle_selector, keys.active_selector
    if idle in seen.lacking:
        return Wait(kind="dns", why=f"DNS does not have the key of {idle} everywhere")
    since = _seen_since(keys)
    if since is None:
        return Step(
            kind="seen",
            why=f"every DNS server has the key of {idle}",
            writes={"seen": {**keys.seen, idle: _text(seen.now)}},
        )
    if seen.now < since + CACHED:
        why = f"resolvers may have an earlier answer about {idle}"
        return Wait(kind="caches", why=why, until=since + CACHED)
    signs = signs_since(keys)
    if wish.every and signs is None:
        return Step(
            kind="signs",
            why=f"{active} signs; its time begins to count",
            writes={"since": {**keys.since, active: _text(seen.now)}},
        )
    if signs and seen.now < signs + wish.every:
        why = f"nothing is due: {active} signs, and {idle} is ready"
        return Wait(kind="due", why=why, until=signs + wish.every)
    return Step(
        kind="sign",
        why=f"{idle} signs from now on; {active} is kept",
        writes={"active": idle, "seen": {**keys.seen, idle: _text(seen.now)}},
    )


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, MOMENT).replace(tzinfo=datetime.UTC)


def _text(moment: datetime.datetime) -> str:
    return f"{moment:{MOMENT}}"
