"""Several MTA hosts: commands ask all of them and join what they answer."""

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import events, find, inbox, queue, reputation
from ops.main import build
from ops.nodes import ask_all
from ops.stack import Deployment, HostAccess
from policy.errors import UserError
from tests.examples import SMALL, settings_of
from tests.ops.hosts import access

NODES = {
    name: replace(access(name), private_address=f"10.8.0.{name.rpartition('-')[2]}")
    for name in ("mta-10", "mta-2", "mta-1")
}


def deployment() -> Deployment:
    return Deployment(
        stack="prod",
        settings=settings_of(SMALL),
        hosts={**NODES, "proxy-1": access("proxy-1")},
        egress={},
    )


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (events, find, inbox, queue, reputation):
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
    assert run("events", "list").stdout.splitlines()[0].startswith("mta-10  2026-11-30 ")


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
    assert done.output.count("To end it: ") == 1


def test_one_id_ends_a_suspension_on_every_node(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[tuple[str, str]] = []

    def ssh_json(host: HostAccess, verb: list[str], **_options: object) -> object:
        if verb[1] == "resume":
            ended.append((host.name, verb[3]))
            return {"resumed": verb[3], "was": "suspend"}
        held = {"id": f"{host.name}-id", "domain": "b.test", "reason": "why", "duration": "1h"}
        other = {**held, "id": f"{host.name}-other", "domain": "c.test"}
        return {"queues": [], "ready": {}, "suspended": [held, other], "bounces": []}

    monkeypatch.setattr(queue, "ssh_json", ssh_json)
    done = run("queue", "resume", "mta-2-id", "--reason", "over", "--yes")
    assert sorted(ended) == sorted((host, f"{host}-id") for host in NODES)
    assert "suspended mta-10-i on mta-10: domain b.test: why" in done.output + done.stderr


def step(kind: str, time: int, **more: object) -> dict[str, object]:
    unsaid = ("source", "peer", "code", "answer", "classification", "tls", "protocol", "queue")
    return {"type": kind, "time": 1_796_000_000 + time, **dict.fromkeys(unsaid), **more}


def moved(*steps: dict[str, object], **more: object) -> dict[str, object]:
    """What one host knows of a message that moved from mta-1 to mta-2 to mta-10."""
    said = {"sender": "a@b.test", "recipient": "u@c.test", "campaign": "", "waiting": None}
    return {"id": "first", **said, "steps": [*steps], "over": False} | more


TO_2 = "http://10.8.0.2:8001/.xfer.kumomta.internal"
TO_10 = "http://10.8.0.10:8001/.xfer.kumomta.internal"
PATH = {
    "mta-1": moved(
        step("Reception", 0, protocol="HTTP"),
        step("AdminRebind", 1, queue=TO_2),
        step("XferOut", 1, queue=TO_2),
    ),
    "mta-2": moved(step("XferIn", 1), step("XferOut", 5, queue=TO_10)),
    "mta-10": moved(step("XferIn", 5), waiting={"queue": "c.test", "due": None}),
}
IDS = {
    "mta-1": ["first", "second"],
    "mta-2": ["second", "first", "third"],
    "mta-10": ["third", "first"],
}


@pytest.mark.parametrize("what", ["u@c.test", "third"])
def test_a_message_is_one_over_all_nodes_that_it_moved_through(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ssh_json(host: HostAccess, verb: list[str], **_options: object) -> object:
        known = (PATH[host.name]["recipient"], *IDS[host.name])
        mine = [PATH[host.name] | {"ids": IDS[host.name]}] if verb[1] in known else []
        return {"count": len(mine), "messages": mine}

    monkeypatch.setattr(find, "ssh_json", ssh_json)
    assert run("find", what).stdout.splitlines() == [
        "first: a@b.test to u@c.test",
        "  2026-11-30 00:53:20  mta-1   injected by HTTP",
        "  2026-11-30 00:53:21  mta-1   transferred to mta-2",
        "  2026-11-30 00:53:21  mta-2   received from another MTA host",
        "  2026-11-30 00:53:25  mta-2   transferred to mta-10",
        "  2026-11-30 00:53:25  mta-10  received from another MTA host",
        "  queued on mta-10 in c.test",
    ]
    found = json.loads(run("find", what, "--json").stdout)
    assert (found["count"], len(found["messages"])) == (1, 1)
    assert found["messages"][0]["hosts"] == ["mta-1", "mta-2", "mta-10"]


def test_mail_to_people_and_refusals_are_shown_with_their_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mail = {"id": "1", "time": 1_796_000_000, "from": "a", "to": "b", "subject": "c"}
    refused = {
        "open": True, "acknowledged": None, "provider": "google", "source": "out-1", "for_good": 1,
        "for_now": 0, "first": 1_796_000_000, "last": 1_796_000_000, "words": "no", "link": "",
    }  # fmt: skip

    def ssh_json(host: HostAccess, verb: list[str], **_options: object) -> object:
        some = host.name == "mta-2"
        if verb[0] == "inbox":
            return {"count": 1, "messages": [mail]} if some else {"count": 0, "messages": []}
        return {"refusals": [refused] if some else []}

    monkeypatch.setattr(inbox, "ssh_json", ssh_json)
    monkeypatch.setattr(reputation, "ssh_json", ssh_json)
    monkeypatch.setenv("COLUMNS", "200")
    assert [line.split()[:3] for line in run("inbox").stdout.splitlines()] == [
        ["time", "(UTC)", "host"],
        ["2026-11-30", "00:53", "mta-2"],
    ]
    assert "google refuses out-1 on mta-2: 1 permanent" in run("reputation", "list").stdout


def test_one_message_of_the_inbox_needs_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ssh_json(host: HostAccess, _verb: list[str], **_options: object) -> object:
        asked.append(host.name)
        return {"from": "a", "to": "b", "subject": "c", "text": "Hello"}

    monkeypatch.setattr(inbox, "ssh_json", ssh_json)
    assert "set --host" in str(run("inbox", "--show", "1").exception)
    assert "Hello" in run("inbox", "--show", "1", "--host", "mta-2").output
    assert asked == ["mta-2"]
