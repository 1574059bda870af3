"""The steps of a rotation: a table of states, and worlds in which anything happens at any time."""

import datetime
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.rotate.machine import CACHED, MARGIN, Seen, Step, Wait, Wish, next_step
from policy.settings.dkim import DkimKeys

NOW = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)
MAX_AGE = datetime.timedelta(days=7)
HOUR = datetime.timedelta(hours=1)


def at(hours: float) -> str:
    """A time so many hours from now, as a stack file has it."""
    return f"{NOW + hours * HOUR:%Y-%m-%dT%H:%M:%SZ}"


KEPT = {"active": "s2", "seen": {"s2": at(-900)}, "since": {"s2": at(-169)}}
NEW = {**KEPT, "made": {"s1": at(-2)}}
READY = {**NEW, "seen": {"s2": at(-900), "s1": at(-1)}}
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a stack that never rotated": ({}, {}, "seen"),
    "the first two keys, seen": ({"seen": {"s2": at(-1)}}, {}, "sign"),
    "the other key is seen, and resolvers may not know": ({"seen": {"s2": at(-0.9)}}, {}, "caches"),
    "the first two keys, and a scheduled job": (
        {"seen": {"s2": at(-1)}},
        {"every": 90 * 24 * HOUR},
        "signs",
    ),
    "active was set by hand": ({"active": "s2"}, {}, "signs"),
    "written, but not applied": (KEPT, {"applied": False}, "up"),
    "the other key has just begun to sign": (
        {"active": "s2", "seen": {"s2": at(-1)}, "since": {"s2": at(-900)}},
        {},
        "signs",
    ),
    "mail of the old key may be in flight": ({**KEPT, "since": {"s2": at(-167.9)}}, {}, "mail"),
    "no mail of the old key is in flight": (KEPT, {}, "make"),
    "the new key is missing in DNS": (NEW, {"lacking": {"s1"}}, "dns"),
    "the new key is in DNS": (NEW, {}, "seen"),
    "the new key was lost from DNS again": (READY, {"lacking": {"s1"}}, "dns"),
    "the new key is ready": (READY, {}, "sign"),
    "nothing is due yet": (READY, {"every": 8 * 24 * HOUR}, "due"),
    "leaked, with a next key": (READY, {"leaked": True}, "leaked"),
    "leaked, and not applied": (READY, {"leaked": True, "applied": False}, "up"),
    "leaked, never rotated": ({}, {"leaked": True}, "leaked"),
    "leaked, and the old key is kept": (
        {**KEPT, "since": {"s2": at(-1)}},
        {"leaked": True},
        "leaked",
    ),
    "leaked, and the old key is not in DNS": (
        {**KEPT, "since": {"s2": at(-1)}},
        {"leaked": True, "lacking": {"s1"}},
        "make",
    ),
    "leaked, and the next key is not published": (
        NEW,
        {"leaked": True, "lacking": {"s1"}},
        "dns",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_state_has_its_next_step(name: str) -> None:
    written, found, kind = TABLE[name]
    seen = Seen(
        now=NOW,
        applied=found.get("applied", True),
        lacking=frozenset(found.get("lacking", ())),
    )
    wish = Wish(
        max_age=MAX_AGE - MARGIN,
        leaked=found.get("leaked", False),
        every=found.get("every", datetime.timedelta(0)),
    )
    assert next_step(DkimKeys.model_validate(written), seen, wish).kind == kind


@dataclass
class World:
    """What receivers meet. Keys are numbered; `served` is what each of two servers has."""

    written: DkimKeys = field(default_factory=DkimKeys)
    running: DkimKeys = field(default_factory=DkimKeys)
    now: datetime.datetime = NOW
    keys: dict[str, int] = field(default_factory=lambda: {"s1": 1, "s2": 2})
    served: dict[str, list[int]] = field(default_factory=lambda: {"s1": [1, 1], "s2": [2, 2]})
    agreed: dict[str, datetime.datetime] = field(
        default_factory=lambda: dict.fromkeys(("s1", "s2"), NOW - CACHED)
    )
    signed: dict[int, datetime.datetime] = field(default_factory=dict)
    count: int = 2

    def up(self) -> list[int]:
        """Applies what is written, and returns the keys that are gone."""
        gone = []
        for selector in self.keys:
            if self.written.made.get(selector) != self.running.made.get(selector):
                gone.append(self.keys[selector])
                self.count += 1
                self.keys[selector] = self.count
        self.running = self.written
        return gone

    def publish(self, selector: str, server: int) -> None:
        """A server takes over the newest key."""
        before = set(self.served[selector])
        self.served[selector][server] = self.keys[selector]
        if before != {self.keys[selector]} == set(self.served[selector]):
            self.agreed[selector] = self.now

    def send(self) -> None:
        """A message leaves, signed by the key that signs now."""
        self.signed[self.keys[self.running.active_selector]] = self.now

    def may_go(self, key: int) -> bool:
        """Whether no mail that it signed is in flight."""
        return key not in self.signed or self.signed[key] + MAX_AGE <= self.now

    def rotate(self, *, leaked: bool) -> Step | Wait:
        """Runs the command once."""
        lacking = {s for s in self.keys if set(self.served[s]) != {self.keys[s]}}
        seen = Seen(now=self.now, applied=self.written == self.running, lacking=frozenset(lacking))
        done = next_step(self.written, seen, Wish(max_age=MAX_AGE, leaked=leaked))
        if isinstance(done, Step):
            self.written = self.written.model_copy(update=dict(done.writes))
            if set(done.writes) <= {"seen", "since"}:
                self.running = self.written  # Nothing on the hosts depends on it.
        return done


def rotated(runs: int) -> tuple[World, list[str]]:
    """A world after so many runs of the command, and what each did; nobody makes it wait."""
    world, kinds = World(), []
    for _ in range(runs):
        world.now += datetime.timedelta(seconds=1)
        done = world.rotate(leaked=False)
        kinds.append(done.kind)
        if done.kind == "up":
            world.up()
        elif isinstance(done, Wait) and done.until:
            world.now = done.until
        elif isinstance(done, Wait):
            world.publish("s1", 0)
            world.publish("s1", 1)
        world.send()
    return world, kinds


RUNS = st.integers(0, 12)
EVENTS = st.one_of(
    st.just(("rotate",)),
    st.just(("up",)),
    st.just(("all",)),
    st.tuples(st.just("publish"), st.sampled_from(["s1", "s2"]), st.sampled_from([0, 1])),
    st.tuples(st.just("wait"), st.sampled_from([1, 1800, 3600, 86_400, 7 * 86_400, 8 * 86_400])),
)


def play(runs: int, events: list[tuple[Any, ...]], *, leaks: frozenset[int] = frozenset()) -> World:
    """Lets it happen in the middle of a rotation, with mail all the time; checks every moment."""
    world, _ = rotated(runs)
    for number, event in enumerate(events):
        match event:
            case ("rotate",):
                world.rotate(leaked=number in leaks)
            case ("up",):
                gone = world.up()
                if not leaks:
                    assert all(world.may_go(key) for key in gone)
            case ("all",):
                gone = world.up()
                for selector in ("s1", "s2"):
                    world.publish(selector, 0)
                    world.publish(selector, 1)
                if not leaks:
                    assert all(world.may_go(key) for key in gone)
            case ("publish", selector, server):
                world.publish(selector, server)
            case ("wait", seconds):
                world.now += datetime.timedelta(seconds=seconds)
        active = world.running.active_selector
        assert set(world.served[active]) == {world.keys[active]}
        assert world.agreed[active] + CACHED <= world.now
        world.send()
    return world


@given(RUNS, st.lists(EVENTS, max_size=30))
@settings(max_examples=150)
def test_no_step_signs_with_an_unpublished_key_or_takes_a_key_from_mail_in_flight(
    runs: int, events: list[tuple[Any, ...]]
) -> None:
    play(runs, events)


@given(RUNS, st.lists(EVENTS, max_size=30), st.sets(st.integers(0, 30), min_size=1))
@settings(max_examples=150)
def test_not_even_a_leak_makes_an_unpublished_key_sign(
    runs: int, events: list[tuple[Any, ...]], leaks: set[int]
) -> None:
    play(runs, events, leaks=frozenset(leaks))


def test_a_full_rotation_takes_the_maximum_age_and_one_lifetime_of_records() -> None:
    world, kinds = rotated(12)
    assert kinds == [
        "seen", "caches", "sign", "up", "signs", "mail", "make", "up", "dns", "seen", "caches",
        "sign",
    ]  # fmt: skip
    assert world.written.active == "s1"


@given(RUNS, st.lists(EVENTS, max_size=30))
@settings(max_examples=50)
def test_a_second_run_of_a_step_that_hosts_must_apply_writes_nothing(
    runs: int, events: list[tuple[Any, ...]]
) -> None:
    world = play(runs, events)
    world.rotate(leaked=False)
    first = world.rotate(leaked=False)
    if world.written != world.running:
        assert isinstance(first, Wait)


@pytest.mark.parametrize("leaked", [False, True])
def test_what_is_given_up_is_said_only_when_something_is(leaked: bool) -> None:
    seen = Seen(now=NOW, applied=True)
    wish = Wish(max_age=MAX_AGE - MARGIN, leaked=leaked)
    step = next_step(DkimKeys.model_validate(READY if leaked else KEPT), seen, wish)
    assert isinstance(step, Step)
    assert bool(step.gives_up) == leaked
