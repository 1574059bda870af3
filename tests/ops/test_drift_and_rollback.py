"""`ping8 rollback` and `ping8 drift`, with a play of the host's agent."""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from ops import drift, rollback
from ops.stack import Deployment, HostAccess
from policy.errors import UserError
from policy.settings import Settings

HOSTS = {
    name: HostAccess(
        name=name,
        role="mta" if name == "mta" else "proxy",
        address="192.0.2.10",
        private_address="10.8.0.4",
        user="ping8",
        host_key="ssh-ed25519 AAAA",
        instance_id="i-0123456789abcdef0",
        release_id="0123456789abcdef",
    )
    for name in ("mta", "proxy1")
}
CLEAN = {"release": "0123456789abcdef", "host": "mta", "differences": []}
REPORT = {
    "release": "aaaaaaaaaaaaaaaa",
    "previous": "0123456789abcdef",
    "changed": ["/etc/default/kumomta"],
    "restarted": ["restart kumomta.service"],
}
Agent = Callable[..., Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Commands that hosts were asked, answered with `answers`."""
    seen: list[tuple[str, list[str]]] = []

    def agent(host: HostAccess, verb: Sequence[str], **more: object) -> Any:
        seen.append((host.name, list(verb)))
        return json.loads(json.dumps(REPORT if verb[0] == "rollback" else ANSWERS[host.name]))

    def deployment(stack: str) -> Deployment:
        return Deployment(stack=stack, settings=cast(Settings, None), hosts=HOSTS, egress={})

    for module in (drift, rollback):
        monkeypatch.setattr(module, "ssh_json", agent)
        monkeypatch.setattr(module, "read_deployment", deployment)
    ANSWERS.update({name: dict(CLEAN) for name in HOSTS})
    return seen


ANSWERS: dict[str, dict[str, Any]] = {}


def run(*arguments: str) -> Any:
    app = typer.Typer()
    drift.register(app)
    rollback.register(app)
    return CliRunner().invoke(app, [*arguments, "--stack", "prod"])


def test_a_rollback_goes_to_the_mta_host_and_to_the_release_before(
    asked: list[tuple[str, list[str]]],
) -> None:
    result = run("rollback")
    assert result.exit_code == 0
    assert asked == [("mta", ["rollback"])]
    assert "release aaaaaaaaaaaaaaaa is live, 0123456789abcdef was" in result.output
    assert "restart kumomta.service" in result.output


def test_a_rollback_may_name_host_and_release(asked: list[tuple[str, list[str]]]) -> None:
    run("rollback", "--host", "proxy1", "--to", "aaaa")
    assert asked == [("proxy1", ["rollback", "--to", "aaaa"])]


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
