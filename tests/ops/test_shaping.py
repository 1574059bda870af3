"""`ping8 shaping`: what it shows, and that a lift asks first."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import shaping
from ops.main import build
from policy.errors import UserError

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
LISTED = {"suspended": [ONE], "lifted": [], "changed": [CHANGED], "problem": ""}


class Deployment:
    mta = "mta"


class Ping8:
    """Runs the command; `asked` are the verbs that the host got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[list[str]] = []
        self.listed: dict[str, Any] = LISTED
        monkeypatch.setattr(shaping, "ssh_json", self._ssh_json)
        monkeypatch.setattr(shaping, "read_deployment", lambda _stack: Deployment)

    def _ssh_json(self, _host: str, verb: list[str]) -> dict[str, Any]:
        self.asked.append(verb)
        return self.listed if verb[1] == "list" else {"lifted": [ONE]}

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
    assert json.loads(ping8("-s", "prod", "--json").output) == LISTED


def test_nothing_and_an_unknown_state_are_told_apart(ping8: Ping8) -> None:
    nothing: dict[str, Any] = {"suspended": [], "lifted": [], "changed": [], "problem": ""}
    ping8.listed = nothing
    assert ping8("-s", "prod").output == "nothing is suspended or changed\n"
    ping8.listed = nothing | {"problem": "refused"}
    assert "tsa-daemon does not answer" in ping8("-s", "prod").output


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
