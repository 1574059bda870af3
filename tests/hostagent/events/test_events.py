"""Events on the host: what an operator sees and sends again."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from hostagent.events import events
from hostagent.events.record import as_event, event_id
from hostagent.events.webhook import Webhook, read_environment
from policy.render.environment import environment_file
from tests.hostagent.events.receiver import Receiver

TOKEN = 'quo"te$dollar`tick\\back-and-long-enough'
NOON = 1_793_534_400


def record(kind: str = "Delivery", **fields: Any) -> dict[str, Any]:
    """A log record as kumod writes it, nulls included."""
    return {
        "type": kind,
        "id": "0a1b",
        "sender": "x@bounce.example.com",
        "recipient": "u@example.net",
        "event_time": "2026-11-01T12:00:00.25Z",
        "timestamp": NOON,
        "created_time": "2026-11-01T11:59:00Z",
        "created": NOON - 60,
        "num_attempts": 2,
        "reception_protocol": "HTTP",
        "provider_name": None,
        "headers": {},
        "meta": {
            "Subject": "Grüße",
            "X-PING8-Task-Id": "t1",
            "ping8_missing": "X-PING8-Api-Log-Id",
        },
        **fields,
    }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def places(tmp_path: Path, receiver: Receiver) -> events.Places:
    environment = tmp_path / "kumomta"
    environment.write_bytes(
        environment_file({"PING8_WEBHOOK_TOKEN": TOKEN, "PING8_WEBHOOK_URL": receiver.url})
    )
    settings = tmp_path / "webhook.json"
    settings.write_text(json.dumps({"batch_size": 1, "leave_out": {"Rejection": True}}))
    (tmp_path / "logs").mkdir()
    return events.Places(
        store=tmp_path / "dead-letters.sqlite",
        logs=tmp_path / "logs",
        environment=environment,
        settings=settings,
    )


def bury(places: events.Places, *letters: dict[str, Any]) -> None:
    with closing(sqlite3.connect(places.store)) as db, db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS dead_letters (event_id TEXT PRIMARY KEY,"
            " buried INTEGER NOT NULL, answer TEXT NOT NULL, record TEXT NOT NULL)"
        )
        for letter in letters:
            row = (event_id(letter), NOON, "400 no such campaign", json.dumps(letter))
            db.execute("INSERT INTO dead_letters VALUES (?, ?, ?, ?)", row)


def write_segment(
    places: events.Places, name: str, *records: dict[str, Any], torn: int = 0
) -> None:
    lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in records)
    packed = zstandard.compress(lines)
    (places.logs / name).write_bytes(packed[: len(packed) - torn])


def run(places: events.Places, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert events.main(arguments, places) == 0
    output = capsys.readouterr().out
    assert output.count("\n") == 1, "one line of JSON"
    return json.loads(output)


def test_dead_letters_are_listed_with_the_answer_that_buried_them(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(places, record())
    listed = run(places, capsys, "list")
    assert listed["count"] == 1
    assert listed["events"][0]["answer"] == "400 no such campaign"
    assert listed["events"][0]["recipient"] == "u@example.net"


def test_a_host_that_never_buried_an_event_lists_none(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(places, capsys, "list") == {"source": "dead letters", "count": 0, "events": []}


def test_a_replayed_dead_letter_leaves_the_store_once_ping8_takes_it(
    places: events.Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = record()
    bury(places, letter)
    assert run(places, capsys, "replay")["replayed"] == 1
    headers, body = receiver.posts[0]
    assert json.loads(body) == letter
    assert headers["X-PING8-Kumo-Token"] == TOKEN
    assert headers["X-PING8-Event-Id"] == event_id(letter)
    assert run(places, capsys, "list")["count"] == 0


def test_a_dead_letter_that_ping8_refuses_again_stays(
    places: events.Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(places, record(), record(id="0c1d"))
    receiver.answer = lambda body: (400, b"bad") if b"0c1d" in body else (200, b"")
    done = run(places, capsys, "replay")
    assert (done["replayed"], done["failed"], done["answer"]) == (1, 1, "400 bad")
    assert [event["id"] for event in run(places, capsys, "list")["events"]] == ["0c1d"]


def test_a_replay_stops_when_ping8_takes_nothing(
    places: events.Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(places, *(record(id=f"{number:04x}") for number in range(20)))
    receiver.answer = lambda _body: (503, b"")
    done = run(places, capsys, "replay")
    assert done["stopped"]
    assert len(receiver.posts) == 5
    assert run(places, capsys, "list")["count"] == 20


def test_an_answer_that_repeats_the_token_is_shown_without_it(
    places: events.Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(places, record())
    receiver.answer = lambda _body: (401, b"not " + TOKEN.encode())
    assert run(places, capsys, "replay")["answer"] == "401 not [token]"


def test_a_body_that_says_failure_counts_as_failure(
    places: events.Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    places.settings.write_text(json.dumps({"batch_size": 1, "failure_field": "success"}))
    bury(places, record())
    receiver.answer = lambda _body: (200, b'{"success": false}')
    assert run(places, capsys, "replay")["failed"] == 1


def test_a_receiver_of_batches_gets_an_array_with_the_event_id_in_it(
    places: events.Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    places.settings.write_text(json.dumps({"batch_size": 100}))
    letter = record()
    bury(places, letter)
    run(places, capsys, "replay")
    body = json.loads(receiver.posts[0][1])
    assert body == [{"X-PING8-Event-Id": event_id(letter), **letter}]


def test_local_logs_are_replayed_as_ping8_would_have_seen_them(
    places: events.Places, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = record()
    write_segment(places, "20261101-115800", logged)
    assert run(places, capsys, "replay", "--logs", "--from", str(NOON - 60))["replayed"] == 1
    sent = json.loads(receiver.posts[0][1])
    assert sent == as_event(logged)
    assert sent["headers"] == {"Subject": "Grüße", "X-PING8-Task-Id": "t1"}
    assert sent["provider_name"] is None


def test_events_about_events_and_types_left_out_are_not_replayed(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    write_segment(
        places,
        "20261101-115800",
        record(reception_protocol="LogRecord"),
        record("Rejection"),
        record("Bounce"),
    )
    listed = run(places, capsys, "list", "--logs")
    assert [event["type"] for event in listed["events"]] == ["Bounce"]


def test_logs_are_chosen_by_time_type_domain_and_id(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = record("Bounce", recipient="u@example.org", timestamp=NOON + 5)
    write_segment(
        places, "20261101-115800", record("Bounce"), record(recipient="u@example.org"), wanted
    )
    chosen = run(
        places, capsys, "list", "--logs", "--type", "Bounce", "--domain", "example.org",
        "--from", str(NOON + 1), "--to", str(NOON + 9), "--id", event_id(wanted)[:8],
    )  # fmt: skip
    assert [event["event_id"] for event in chosen["events"]] == [event_id(wanted)]


def test_a_segment_torn_by_a_crash_gives_its_complete_lines(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [record(id=f"{number:032x}", size=number * 7919) for number in range(20_000)]
    write_segment(places, "20261101-115800", *many, torn=2_000)
    count = run(places, capsys, "list", "--logs")["count"]
    assert 0 < count < 20_000


def test_a_bounce_has_one_id_whatever_time_a_logger_gave_it() -> None:
    one = record("OOB", event_time="2026-11-01T12:00:00Z", timestamp=NOON)
    other = record("OOB", event_time="2026-11-01T12:00:03Z", timestamp=NOON + 3)
    assert event_id(one) == event_id(other)
    assert event_id(record()) != event_id(record(num_attempts=3))


def test_the_environment_file_is_read_as_systemd_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_bytes(environment_file({"ONE": TOKEN, "TWO": "a b#c"}))
    assert read_environment(path) == {"ONE": TOKEN, "TWO": "a b#c"}


def test_events_are_chosen_by_recipient(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = record("Bounce", recipient="A@example.org", timestamp=NOON + 5)
    bury(places, record(), wanted)
    (found,) = run(places, capsys, "list", "--recipient", "a@EXAMPLE.org")["events"]
    assert found["event_id"] == event_id(wanted)


def test_a_host_without_an_environment_file_says_so_in_one_line(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(places, record())
    places.environment.unlink()
    assert events.main(["replay"], places) == 1
    said = capsys.readouterr().err
    assert said.startswith("ping8: ") and said.count("\n") == 1
    assert str(places.environment) in said


def test_a_replay_waits_as_long_as_the_settings_say() -> None:
    variables = {"PING8_WEBHOOK_TOKEN": TOKEN, "PING8_WEBHOOK_URL": "https://app.example.com/"}
    connection = Webhook(variables, {"timeout": "2m"})._connected()
    assert connection.timeout == 120
