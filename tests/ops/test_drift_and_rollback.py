"""`ping8 rollback` and `ping8 drift`, with a play of the host's agent."""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from ops import drift, rollback
from ops.main import build
from ops.stack import Deployment, HostAccess
from policy.errors import UserError
from policy.settings import Settings
from tests.ops.hosts import access

HOSTS = {name: access(name, "192.0.2.10") for name in ("mta", "proxy1")}
CLEAN = {"release": "0123456789abcdef", "host": "mta", "differences": []}
REPORT = {
    "release": "aaaaaaaaaaaaaaaa",
    "previous": "0123456789abcdef",
    "changed": ["/etc/default/kumomta"],
    "restarted": ["restart kumomta.service"],
}
KEPT = {
    "release": "0123456789abcdef",
    "previous": "aaaaaaaaaaaaaaaa",
    "kept": ["0123456789abcdef", "aaaaaaaaaaaaaaaa", "aabbbbbbbbbbbbbb"],
    "kept_at": {"0123456789abcdef": 1_796_000_000.0, "aaaaaaaaaaaaaaaa": 1_795_000_000.0},
    "kept_differs": {
        "aaaaaaaaaaaaaaaa": {"added": ["/a"], "removed": [], "changed": ["/b", "/c", "/d", "/e"]}
    },
}
Agent = Callable[..., Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Commands that hosts were asked, answered with `answers`."""
    seen: list[tuple[str, list[str]]] = []

    def agent(host: HostAccess, verb: Sequence[str], **more: object) -> Any:
        seen.append((host.name, list(verb)))
        if ANSWERS[host.name].get("silent"):
            raise UserError(f"{host.name} (192.0.2.10): no route")
        answers = {"rollback": REPORT, "status": KEPT, "drift": ANSWERS[host.name]}
        return json.loads(json.dumps(answers[verb[0]]))

    def deployment(stack: str) -> Deployment:
        return Deployment(stack=stack, settings=cast(Settings, None), hosts=HOSTS, egress={})

    for module in (drift, rollback):
        monkeypatch.setattr(module, "ssh_json", agent)
        monkeypatch.setattr(module, "read_deployment", deployment)
    ANSWERS.update({name: dict(CLEAN) for name in HOSTS})
    return seen


ANSWERS: dict[str, dict[str, Any]] = {}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(build(), [*arguments, "--stack", "prod"])


def test_a_rollback_goes_to_the_mta_host_and_to_the_release_before(
    asked: list[tuple[str, list[str]]],
) -> None:
    result = run("rollback", "--yes")
    assert result.exit_code == 0
    assert asked == [("mta", ["status"]), ("mta", ["rollback", "--to", "aaaaaaaaaaaaaaaa"])]
    assert "release aaaaaaaaaaaaaaaa is live, 0123456789abcdef was" in result.output
    assert "restart kumomta.service" in result.output


def test_a_rollback_asks_first_and_does_nothing_without_a_yes(
    asked: list[tuple[str, list[str]]],
) -> None:
    result = run("rollback")
    assert isinstance(result.exception, UserError)
    assert "from release 0123456789abcdef to aaaaaaaaaaaaaaaa" in result.output
    assert "  added /a\n  changed /b\n" in result.output
    assert asked == [("mta", ["status"])]


def test_a_rollback_may_name_host_and_release(asked: list[tuple[str, list[str]]]) -> None:
    run("rollback", "--host", "proxy1", "--to", "aaaa", "--yes")
    assert asked[-1] == ("proxy1", ["rollback", "--to", "aaaaaaaaaaaaaaaa"])


@pytest.mark.parametrize(("to", "why"), [("aa", "several"), ("ff", "not kept")])
def test_a_release_that_is_not_meant_clearly_is_rejected(
    asked: list[tuple[str, list[str]]], to: str, why: str
) -> None:
    result = run("rollback", "--to", to, "--yes")
    assert why in str(result.exception)
    assert asked == [("mta", ["status"])]


def test_what_is_kept_is_listed_the_newest_first(asked: list[tuple[str, list[str]]]) -> None:
    result = run("rollback", "--list")
    lines = result.output.splitlines()
    assert lines[0] == "mta  0123456789abcdef  2026-11-30 00:53 UTC  live"
    assert lines[1].endswith("before it")
    assert lines[2] == "  5 files differ: added /a, changed /b, changed /c, changed /d and 1 more"
    assert [row["live"] for row in json.loads(run("rollback", "--list", "--json").output)] == [
        True,
        False,
        False,
    ]


def test_an_unknown_host_is_refused_with_the_ones_there_are(
    asked: list[tuple[str, list[str]]],
) -> None:
    result = run("rollback", "--host", "mtaa")
    assert isinstance(result.exception, UserError)
    assert "mta or proxy1" in str(result.exception)
    assert asked == []


def test_hosts_without_drift_end_with_status_0(asked: list[tuple[str, list[str]]]) -> None:
    result = run("drift")
    assert result.exit_code == 0
    assert [name for name, _ in asked] == ["mta", "proxy1"]


def test_a_difference_is_listed_and_ends_with_status_1(
    asked: list[tuple[str, list[str]]],
) -> None:
    row = {"what": "/etc/default/kumomta", "kind": "file", "found": "mode 0644 instead of 0600"}
    ANSWERS["mta"]["differences"] = [row]
    result = run("drift")
    assert result.exit_code == 1
    assert "mode 0644 instead of 0600" in " ".join(result.output.split())
    assert "push: always" in result.output


def test_another_release_than_the_stack_pushed_is_a_difference(
    asked: list[tuple[str, list[str]]],
) -> None:
    ANSWERS["proxy1"]["release"] = "ffffffffffffffff"
    result = run("drift", "--json")
    assert result.exit_code == 1
    row = json.loads(result.output)["proxy1"]["differences"][0]
    assert (row["kind"], row["what"]) == ("release", "ffffffffffffffff")


def test_a_host_that_does_not_answer_hides_no_other_ones_drift(
    asked: list[tuple[str, list[str]]],
) -> None:
    ANSWERS["mta"] = {"silent": True}
    result = run("drift")
    assert result.exit_code == 1
    assert "warning: mta (192.0.2.10): no route" in result.stderr
    assert "proxy1: matches release 0123456789abcdef" in result.stdout
