"""`ping8 upgrade`: one host after the other, and what happens at the first failure."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from typer.testing import CliRunner, Result

from ops import drain, engine, upgrade
from ops.main import build
from policy.errors import UserError
from tests.ops.test_drain import MARK, Fleet, counts, step

PUSHES = {name: f"**::mail-release-{name}-push" for name in ("proxy-1", "mta-1", "mta-2")}


@dataclass
class Stack:
    """A fleet and its engine; `told` is everything that happened, in order."""

    fleet: Fleet = field(default_factory=Fleet)
    unchanged: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def run(self, stack: str, *words: str, quiet: bool = False) -> bool:
        assert stack == "prod"
        name = next(name for name, push in PUSHES.items() if push in words)
        assert f"**::mail-{name}-*" in words, "its instance may change, too"
        if quiet:
            return name in self.unchanged
        self.told.append(f"{words[0]} {name}")
        return f"{words[0]} {name}" not in self.failing

    def ssh_json(self, host: object, verb: list[str], **options: object) -> object:
        name = getattr(host, "name", "")
        if verb[1] != "show":
            self.told.append(f"{verb[1]} {name}")
        return self.fleet.ssh_json(self.fleet.hosts[name], verb, **options)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    found = Stack()
    found.fleet.steps = [step() for _ in range(4)]
    found.fleet.backs = [{"draining": None, "counts": counts()} for _ in range(4)]
    monkeypatch.setattr(upgrade, "read_deployment", lambda _stack: found.fleet)
    monkeypatch.setattr(engine, "run", found.run)
    for module in (drain, upgrade):
        monkeypatch.setattr(module, "ssh_json", found.ssh_json)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return found


@pytest.fixture
def ping8(stack: Stack) -> Callable[[], Result]:
    del stack
    return lambda: CliRunner().invoke(build(), ["upgrade", "--stack", "prod", "--yes"])


def test_each_mta_host_is_drained_pushed_and_taken_back_before_the_next(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    result = ping8()
    assert result.exit_code == 0, result.output
    assert stack.told == [
        "preview proxy-1",
        "up proxy-1",
        *("begin mta-1", "step mta-1", "up mta-1", "back mta-1"),
        *("begin mta-2", "step mta-2", "up mta-2", "back mta-2"),
    ]


def test_a_host_that_does_not_change_is_left_alone(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    stack.unchanged = {"proxy-1", "mta-1"}
    assert ping8().exit_code == 0
    assert stack.told == ["preview mta-2", "begin mta-2", "step mta-2", "up mta-2", "back mta-2"]
    stack.unchanged = set(PUSHES)
    assert "Every host has the release" in ping8().output


def test_a_push_that_fails_stops_the_upgrade_and_shows_the_way_back(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    stack.failing = {"up mta-2"}
    said = str(ping8().exception)
    assert "mta-2: its update failed" in said
    assert "ping8 drain mta-2 --back --stack prod" in said
    assert "ping8 rollback --host mta-1 --stack prod" in said
    assert stack.told[-1] == "up mta-2"


def test_a_host_that_stays_unhealthy_stops_the_upgrade(
    stack: Stack, ping8: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = {"draining": None, "healthy": False}
    monkeypatch.setattr(upgrade, "ssh_json", lambda *_: sick)
    said = str(ping8().exception)
    assert "mta-1, after its update: it takes no injections" in said
    assert "begin mta-2" not in stack.told


def test_an_upgrade_begins_only_if_each_node_is_healthy(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    stack.fleet.shows = {"mta-2": {"draining": MARK, "healthy": False}}
    assert "mta-2 drains since" in str(ping8().exception)
    assert stack.told == []


def test_an_interrupt_says_how_to_go_on_and_back(
    stack: Stack, ping8: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str, *words: str, quiet: bool = False) -> bool:
        if words[0] == "up" and PUSHES["mta-2"] in words:
            raise KeyboardInterrupt
        return stack.run(name, *words, quiet=quiet)

    monkeypatch.setattr(engine, "run", run)
    result = ping8()
    assert result.exit_code != 0
    assert "Stopped at mta-2: `ping8 upgrade --stack prod` goes on with it." in result.output
    assert "ping8 rollback --host mta-1 --stack prod" in result.output


def test_a_preview_that_fails_changes_nothing(stack: Stack, ping8: Callable[[], Result]) -> None:
    stack.failing = {"preview proxy-1"}
    assert "Nothing was changed" in str(ping8().exception)
    assert stack.told == ["preview proxy-1"]


def test_a_single_node_is_upgraded_by_pulumi_alone(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    del stack.fleet.hosts["mta-2"]
    found = ping8().exception
    assert isinstance(found, UserError)
    assert "pulumi up -s prod" in str(found)


def test_an_upgrade_that_was_interrupted_goes_on_with_the_host_that_drains(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    begun = {"draining": MARK | {"reason": "upgrade"}, "healthy": False}
    answers = iter([begun])
    stack.fleet.shows = {"mta-2": lambda: next(answers, {"draining": None, "healthy": True})}
    stack.unchanged = {"proxy-1", "mta-2"}
    result = ping8()
    assert result.exit_code == 0, result.output
    # Its release may be there already: what is left is to take the drain back.
    assert stack.told[1:] == [
        *("begin mta-2", "step mta-2", "up mta-2", "back mta-2"),
        *("begin mta-1", "step mta-1", "up mta-1", "back mta-1"),
    ]


def test_no_host_is_drained_while_another_one_is_sick(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    well, sick = {"draining": None, "healthy": True}, {"draining": None, "healthy": False}
    # Two looks before the upgrade, and one after the push.
    answers = iter([well] * 3)
    stack.fleet.shows = {"mta-1": lambda: next(answers, sick)}
    stack.unchanged = {"proxy-1"}
    said = str(ping8().exception)
    assert "mta-1 is unhealthy: mta-2 was left alone. To go back: ping8 rollback" in said
    assert "begin mta-2" not in stack.told


def test_a_host_that_boots_after_its_update_is_waited_for(
    stack: Stack, ping8: Callable[[], Result]
) -> None:
    stack.unchanged = {"proxy-1", "mta-2"}
    boots = UserError("mta-1 (198.18.0.1): no SSH connection")
    stack.fleet.backs = [boots, boots, {"draining": None, "counts": counts()}]
    result = ping8()
    assert result.exit_code == 0, result.output
    assert stack.told[-3:] == ["back mta-1"] * 3
