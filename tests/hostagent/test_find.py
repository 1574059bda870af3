"""`ping8-agent find` on logs, dead letters and an admin API that knows a waiting message."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from hostagent import find
from hostagent.events.record import event_id
from hostagent.web import WebError

NOON = 1_793_534_400


def record(kind: str, message: str = "m1", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "id": message,
        "sender": "b@bounce.example.com",
        "recipient": "u@example.net",
        "timestamp": NOON,
        "created": NOON,
        "num_attempts": 0,
        "meta": {"X-PING8-Message-Id": f"p-{message}", "X-PING8-Campaign-Id": "c1"},
        "reception_protocol": "HTTP",
        "response": {"code": 250, "content": "ok"},
        **more,
    }


DELIVERY = record(
    "Delivery",
    timestamp=NOON + 9,
    egress_source="out-2",
    peer_address={"name": "mx.example.net.", "addr": "192.0.2.5"},
)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    rows = [
        DELIVERY,
        record("Reception"),
        record("TransientFailure", timestamp=NOON + 5, response={"code": 451, "content": "later"}),
        record("Reception", "m2", recipient=["V@example.net"], timestamp=NOON + 20,
               queue="c1:t@example.net"),
        record("Reception", "e1", reception_protocol="LogRecord"),
    ]  # fmt: skip
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    (folder / "20261101-115800").write_bytes(zstandard.compress(lines))
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions to the admin API, which has `m2` in a queue."""
    urls: list[str] = []

    def get_json(url: str, _deadline: object) -> Any:
        urls.append(url)
        one = {"sender": "b@x", "recipient": "V@example.net", "meta": {}}
        if url.endswith("/metrics.json"):
            queues = {"c1:t@example.net": 1, "c1:t@yahoo.com": 5}
            return {"scheduled_count": {"value": {"queue": queues}}}
        if url.endswith("/inspect-message/v1?id=m2"):
            return {"id": "m2", "message": {**one, "due": None, "num_attempts": None}}
        if "/inspect-sched-q/v1?queue_name=c1%3At%40example.net" in url:
            due = {**one, "due": "2026-12-01T10:00:00Z", "num_attempts": 3}
            return {
                "messages": [
                    {"id": "m9", "message": {**one, "recipient": "x@y"}},
                    {"id": "m2", "message": due},
                ]
            }
        raise WebError("404")

    monkeypatch.setattr(find, "get_json", get_json)
    return urls


def look(what: str, logs: Path) -> list[dict[str, Any]]:
    found = find.find(what, 0, logs, logs / "none.sqlite", "http://kumod")
    messages: list[dict[str, Any]] = found["messages"]
    return messages


@pytest.mark.parametrize("what", ["m1", "p-m1", "U@EXAMPLE.net"])
def test_a_message_is_found_by_either_id_and_by_its_recipient(
    what: str, logs: Path, asked: list[str]
) -> None:
    (message,) = look(what, logs)
    assert [step["type"] for step in message["steps"]] == [
        "Reception",
        "TransientFailure",
        "Delivery",
    ]
    assert message["steps"][2]["source"] == "out-2"
    assert message["steps"][2]["peer"] == "mx.example.net. 192.0.2.5"
    assert (message["over"], message["waiting"], message["campaign"]) == (True, None, "c1")
    assert not any("inspect-message" in url for url in asked), "it is over"


def test_a_message_that_waits_says_when_it_is_due(logs: Path, asked: list[str]) -> None:
    (message,) = look("v@example.net", logs)
    assert not message["over"]
    assert message["waiting"]["num_attempts"] == 3
    assert message["waiting"]["queue"] == "c1:t@example.net"


def test_a_message_without_a_log_is_found_in_its_queue(tmp_path: Path, asked: list[str]) -> None:
    (message,) = look("m2", tmp_path)
    assert message["steps"] == []
    assert message["recipient"] == "V@example.net"
    assert look("m3", tmp_path) == []


def test_events_are_no_messages(logs: Path, asked: list[str]) -> None:
    assert look("e1", logs) == []


def test_an_event_that_ping8_refused_is_reported(logs: Path, asked: list[str]) -> None:
    store = logs / "none.sqlite"
    with closing(sqlite3.connect(store)) as db, db:
        db.execute(
            "CREATE TABLE dead_letters (event_id TEXT PRIMARY KEY, buried INTEGER NOT NULL,"
            " answer TEXT NOT NULL, record TEXT NOT NULL)"
        )
        row = (event_id(DELIVERY), NOON, "400 no such campaign", json.dumps(DELIVERY))
        db.execute("INSERT INTO dead_letters VALUES (?, ?, ?, ?)", row)
    refused = {step["type"]: step["refused"] for step in look("m1", logs)[0]["steps"]}
    assert refused == {
        "Reception": None, "TransientFailure": None, "Delivery": "400 no such campaign",
    }  # fmt: skip


def test_mail_that_came_just_now_is_found_in_the_queues_of_its_domain(
    tmp_path: Path, asked: list[str]
) -> None:
    (message,) = look("V@example.net", tmp_path)
    assert (message["id"], message["steps"]) == ("m2", [])
    assert message["waiting"]["queue"] == "c1:t@example.net"
    assert look("u@example.net", tmp_path) == []
    assert not any("yahoo" in url for url in asked)


MOVED = json.loads(
    (Path(__file__).parents[1] / "policy/kumomta/transfer_records.json").read_text("utf-8")
)
FIRST, SECOND = "42d6bcf1eba011f1ba894a20973b0c2e", "42d6bcf1eba011f1ba89ce0ef00baf12"


def node(folder: Path, number: int) -> Path:
    """The logs of a node, as two real ones wrote them when a message moved from 1 to 2."""
    rows = [one["record"] for one in MOVED if one["record"]["id"] == (FIRST, SECOND)[number - 1]]
    (folder / "20261129-025400").write_bytes(
        zstandard.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    )
    return folder


@pytest.mark.parametrize("what", [FIRST, "x-3", "u@[203.0.113.25]"])
def test_a_message_that_moved_has_one_id_on_both_nodes_and_is_over_where_it_was_delivered(
    what: str, tmp_path: Path, asked: list[str]
) -> None:
    for number, kinds, over in (
        (1, ["Reception", "TransientFailure", "AdminRebind", "XferOut"], False),
        (2, ["XferIn", "Delivery"], True),
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (message,) = look(what, node(folder, number))
        assert message["id"] == FIRST
        assert set(message["ids"]) == {FIRST, SECOND}
        assert [step["type"] for step in message["steps"]] == kinds
        assert message["over"] == over
    assert not any("inspect-message" in url for url in asked), "it has left the first node"


@pytest.mark.parametrize("number", [1, 2])
def test_both_nodes_know_the_new_id_of_a_message_that_moved(
    number: int, tmp_path: Path, asked: list[str]
) -> None:
    (message,) = look(SECOND, node(tmp_path, number))
    assert message["id"] == FIRST
