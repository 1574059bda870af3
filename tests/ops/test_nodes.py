"""Several MTA hosts: commands ask all of them and join what they answer."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import events, find, inbox, queue
from ops.main import build
from ops.nodes import ask_all
from ops.stack import Deployment, HostAccess
from policy.errors import UserError
from tests.examples import SMALL, settings_of
from tests.ops.hosts import access

NODES = {name: access(name) for name in ("mta-10", "mta-2", "mta-1")}


def deployment() -> Deployment:
    return Deployment(
        stack="prod",
        settings=settings_of(SMALL),
        hosts={**NODES, "proxy-1": access("proxy-1")},
        egress={},
    )


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (events, find, inbox, queue):
        monkeypatch.setattr(module, "read_deployment", lambda _stack: deployment())


def run(*words: str) -> Any:
    return CliRunner().invoke(build(), [*words, "--stack", "prod"])


def test_nodes_are_in_the_order_of_their_numbers() -> None:
    assert [host.name for host in deployment().mta_hosts] == ["mta-1", "mta-2", "mta-10"]


def test_a_node_that_does_not_answer_is_a_warning_and_the_others_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ask(host: HostAccess) -> object:
        if host.name == "mta-2":
            raise UserError("mta-2 (198.18.0.1): no route")
        return {"count": 1}

    assert set(ask_all(deployment().mta_hosts, ask)) == {"mta-1", "mta-10"}
    assert "warning: mta-2 (198.18.0.1): no route" in capsys.readouterr().err


def test_if_no_node_answers_the_first_reason_is_the_error() -> None:
    def ask(host: HostAccess) -> object:
        raise UserError(f"{host.name}: no route")

    with pytest.raises(UserError, match="mta-1: no route"):
        ask_all(deployment().mta_hosts, ask)


def test_events_of_all_nodes_are_listed_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def ssh_json(host: HostAccess, _verb: list[str], **_options: object) -> object:
        number = int(host.name.rpartition("-")[2])
        event = {
            "event_id": f"{number:016}", "type": "Bounce", "time": 1_796_000_000 - number,
            "recipient": "u@example.net", "headers": {},
        }  # fmt: skip
        return {"source": "dead letters", "count": 1, "events": [event]}

    monkeypatch.setattr(events, "ssh_json", ssh_json)
    found = json.loads(run("events", "list", "--json").output)
    assert found["count"] == 3
    assert [event["host"] for event in found["events"]] == ["mta-10", "mta-2", "mta-1"]


def test_a_suspension_holds_on_every_node(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def ssh_json(host: HostAccess, verb: list[str], **_options: object) -> object:
        asked.append((host.name, verb[1]))
        if verb[1] == "suspend":
            return {"ids": [f"{host.name}-id"], "queues": [], "messages": 1}
        row = {
            "queue": "a@b.test", "domain": "b.test", "brand": "", "campaign": "", "messages": 1,
            "suspended": [],
        }  # fmt: skip
        return {"queues": [row], "ready": {}, "suspended": [], "bounces": []}

    monkeypatch.setattr(queue, "ssh_json", ssh_json)
    done = run("queue", "suspend", "--domain", "b.test", "--reason", "why", "--yes")
    assert "3 messages in 3 queues" in done.output + done.stderr
    assert {host for host, verb in asked if verb == "suspend"} == set(NODES)
    assert done.output.count("To end it: ") == 3


def test_a_message_is_found_on_the_node_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def ssh_json(host: HostAccess, _verb: list[str], **_options: object) -> object:
        message: dict[str, object] = {
            "id": "abc", "sender": "a@b.test", "recipient": "u@c.test", "campaign": "",
            "steps": [], "waiting": None, "over": True,
        }  # fmt: skip
        mine = [message] if host.name == "mta-2" else []
        return {"count": len(mine), "messages": mine}

    monkeypatch.setattr(find, "ssh_json", ssh_json)
    lines = run("find", "u@c.test").output.splitlines()
    assert lines[:2] == ["on mta-2:", "abc: a@b.test to u@c.test"]


def test_one_message_of_the_inbox_needs_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ssh_json(host: HostAccess, _verb: list[str], **_options: object) -> object:
        asked.append(host.name)
        return {"from": "a", "to": "b", "subject": "c", "text": "Hello"}

    monkeypatch.setattr(inbox, "ssh_json", ssh_json)
    assert "set --host" in str(run("inbox", "--show", "1").exception)
    assert "Hello" in run("inbox", "--show", "1", "--host", "mta-2").output
    assert asked == ["mta-2"]
