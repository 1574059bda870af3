"""`ping8 shaping`: what it shows, and that a lift asks first."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import shaping
from ops.main import build
from ops.stack import Deployment, HostAccess
from policy.errors import UserError
from tests.examples import SMALL, settings_of
from tests.ops.hosts import access

ONE = {
    "kind": "site",
    "id": "546d4a0a",
    "name": "out-2->mx.example@smtp_client",
    "site": "mx.example",
    "source": "out-2",
    "reason": "automation rule: IP \x1b[31mreputation",
    "ends": 1_796_000_000,
    "left": "59m",
}
CHANGED = {
    "domain": "slow.test",
    "source": "out-2",
    "name": "max_message_rate",
    "value": '"1/min"',
    "reason": "automation rule: slow down",
    "ends": 1_796_000_000,
}
NOTHING: dict[str, Any] = {"suspended": [], "lifted": [], "changed": [], "problem": ""}
LISTED = {"suspended": [ONE], "lifted": [], "changed": [CHANGED], "problem": ""}


class Ping8:
    """Runs the command; `asked` are the verbs that hosts got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[list[str]] = []
        self.lifted: list[str] = []
        self.listed: dict[str, dict[str, Any] | None] = {"mta-1": LISTED}
        """What each MTA host lists; None if it does not answer."""
        monkeypatch.setattr(shaping, "ssh_json", self._ssh_json)
        monkeypatch.setattr(shaping, "read_deployment", lambda _stack: self.deployment)

    @property
    def deployment(self) -> Deployment:
        """A stack with these hosts."""
        hosts = {name: access(name) for name in self.listed}
        return Deployment(stack="prod", settings=settings_of(SMALL), hosts=hosts, egress={})

    def _ssh_json(self, host: HostAccess, verb: list[str]) -> dict[str, Any]:
        self.asked.append(verb)
        listed = self.listed[host.name]
        if listed is None:
            raise UserError(f"{host.name} (198.18.0.1): no route")
        if verb[1] == "list":
            return listed
        self.lifted.append(host.name)
        return {"lifted": listed["suspended"]}

    def __call__(self, *arguments: str, stdin: str = "") -> Any:
        return CliRunner().invoke(build(), ["shaping", *arguments], input=stdin)


@pytest.fixture
def ping8(monkeypatch: pytest.MonkeyPatch) -> Ping8:
    return Ping8(monkeypatch)


def test_each_decision_is_shown_with_its_rule_and_end(ping8: Ping8) -> None:
    assert ping8("-s", "prod").output.splitlines() == [
        "suspended: mx.example from out-2: automation rule: IP ?[31mreputation, "
        "until 2026-11-30 00:53 UTC",
        'changed: slow.test from out-2: max_message_rate = "1/min": automation rule: slow down, '
        "until 2026-11-30 00:53 UTC",
    ]
    assert json.loads(ping8("-s", "prod", "--json").output) == {
        "suspended": [{"host": "mta-1", **ONE}],
        "lifted": [],
        "changed": [{"host": "mta-1", **CHANGED}],
        "problems": {},
    }


def test_nothing_and_an_unknown_state_are_told_apart(ping8: Ping8) -> None:
    ping8.listed = {"mta-1": NOTHING}
    assert ping8("-s", "prod").output == "nothing is suspended or changed\n"
    ping8.listed = {"mta-1": NOTHING | {"problem": "refused"}}
    assert "tsa-daemon does not answer" in ping8("-s", "prod").output


def test_an_answer_of_another_shape_is_an_error_that_names_the_host(ping8: Ping8) -> None:
    ping8.listed = {"mta-1": NOTHING | {"lifted": 3}}
    expected = "mta-1: its agent's 'lifted' is no list; push the newest release"
    assert str(ping8("-s", "prod").exception).startswith(expected)


def test_a_lift_shows_what_it_ends_and_asks(ping8: Ping8) -> None:
    words = ["lift", "mx.example", "--reason", "sorry", "-s", "prod"]
    result = ping8(*words, stdin="n\n")
    assert "This ends:\nmx.example from out-2" in result.output
    assert isinstance(result.exception, UserError)
    assert [verb[1] for verb in ping8.asked] == ["list"]
    result = ping8(*words, "--yes")
    assert ping8.asked[-1][:6] == ["shaping", "lift", "--site", "mx.example", "--reason", "sorry"]
    assert "1 lifted. The rule suspends it again" in result.output


def test_a_site_that_is_not_suspended_is_refused(ping8: Ping8) -> None:
    result = ping8("lift", "slow.test", "--reason", "x", "-s", "prod")
    assert "slow.test is not suspended" in str(result.exception)


def test_what_all_nodes_have_is_one_line_and_what_some_have_names_them(ping8: Ping8) -> None:
    some = LISTED | {"suspended": []}
    ping8.listed = {"mta-1": LISTED, "mta-2": some, "mta-3": some | {"problem": "refused"}}
    suspended, changed, unknown = ping8("-s", "prod").output.splitlines()
    assert suspended.endswith("UTC (only on mta-1)")
    assert changed.endswith("UTC")
    assert unknown.startswith("tsa-daemon of mta-3 does not answer")


def test_a_lift_reaches_every_node_that_has_it_and_names_one_that_does_not_answer(
    ping8: Ping8,
) -> None:
    words = ("lift", "mx.example", "--reason", "sorry", "--yes", "-s", "prod")
    ping8.listed = {"mta-1": LISTED, "mta-2": LISTED, "mta-3": NOTHING}
    result = ping8(*words)
    assert "2 lifted on mta-1, mta-2." in result.output
    assert (sorted(ping8.lifted), result.exit_code) == (["mta-1", "mta-2"], 0)
    ping8.listed = {"mta-1": LISTED, "mta-2": None}
    result = ping8(*words)
    assert "warning: mta-2 (198.18.0.1): no route" in result.output + result.stderr
    assert "1 lifted on mta-1." in result.output
    assert result.exit_code == 1
