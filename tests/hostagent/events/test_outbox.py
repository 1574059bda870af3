"""The outbox's service against an endpoint that misbehaves, and a folder that was damaged."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import zstandard

from hostagent.events.outbox import ABANDONED_AFTER, Outbox, Places, Stopped
from hostagent.events.record import ID_FIELD, event_id
from tests.hostagent.events.receiver import Receiver

TOKEN = "outbox-token-of-the-tests-0123456789"
NOON = 1_793_534_400


def record(number: int, **fields: Any) -> dict[str, Any]:
    """A record as the outbox holds it."""
    return {
        "type": "Delivery",
        "id": f"{number:04x}",
        "sender": "x@bounce.example.com",
        "recipient": "u@example.net",
        "event_time": "2026-11-01T12:00:00.25Z",
        "timestamp": NOON,
        "num_attempts": 0,
        "reception_protocol": "HTTP",
        "provider_name": None,
        "headers": {"X-PING8-Task-Id": "t1"},
        "meta": {},
        **fields,
    }


@dataclass
class Host:
    """A host with an outbox; time passes only where the service waits."""

    folder: Path
    receiver: Receiver
    now: float = NOON
    elapsed: float = 0.0
    waits: list[float] = field(default_factory=list)
    most_waits: int = 30

    def __post_init__(self) -> None:
        self.places.outbox.mkdir()
        self.set()

    @property
    def places(self) -> Places:
        return Places(
            outbox=self.folder / "outbox",
            store=self.folder / "dead.sqlite",
            settings=self.folder / "webhook.json",
        )

    def set(self, **changes: Any) -> None:
        settings: dict[str, Any] = {
            "batch_size": 50,
            "leave_out": {"Rejection": True},
            "timeout": "30s",
            "retry_interval": 60,
            "max_retry_interval": 1200,
            "max_event_age": 7 * 86400,
        }
        self.places.settings.write_text(json.dumps(settings | changes))

    def service(self) -> Outbox:
        """The service as it starts."""

        def pause(seconds: float) -> None:
            if not seconds:
                return
            self.waits.append(seconds)
            self.now += seconds
            if len(self.waits) >= self.most_waits:
                raise Stopped

        environment = {"PING8_WEBHOOK_TOKEN": TOKEN, "PING8_WEBHOOK_URL": self.receiver.url}
        return Outbox(
            self.places,
            environment,
            now=lambda: self.now,
            pause=pause,
            elapsed=lambda: self.elapsed,
        )

    def write(self, name: str, *records: dict[str, Any], done: bool = True) -> Path:
        lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in records)
        return self.put(name, zstandard.compress(lines), done=done)

    def put(self, name: str, content: bytes, *, done: bool = True) -> Path:
        path = self.places.outbox / name
        path.write_bytes(content)
        path.chmod(0o440 if done else 0o640)
        return path

    def left(self) -> list[str]:
        return sorted(p.name for p in self.places.outbox.iterdir() if p.name[0].isdigit())

    def damaged(self) -> list[str]:
        folder = self.places.outbox / "damaged"
        return sorted(p.name for p in folder.iterdir()) if folder.exists() else []

    def ids(self) -> list[str]:
        return [event["id"] for event in self.receiver.events()]

    def stored(self, table: str) -> list[str]:
        """The ids of the events in the store."""
        with closing(sqlite3.connect(self.places.store)) as db:
            rows = db.execute(f"SELECT record FROM {table} ORDER BY rowid")
            return [json.loads(text)["id"] for (text,) in rows.fetchall()]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    receiver = Receiver()
    yield Host(tmp_path, receiver)
    receiver.close()


def refuse_where(*ids: str, status: int = 500) -> Callable[[bytes], tuple[int, bytes]]:
    """An endpoint that fails on each POST that holds one of these events."""
    marks = [f'"id": "{one}"'.encode() for one in ids]
    return lambda body: (status, b"no") if any(mark in body for mark in marks) else (200, b"")


def test_events_are_posted_as_they_lie_there_and_their_segments_deleted(host: Host) -> None:
    host.write("20261101-120000.1", record(1), record(2))
    host.service().work()
    ((headers, body),) = host.receiver.posts
    first = json.loads(body)[0]
    assert first.pop(ID_FIELD) == event_id(record(1)) == headers[ID_FIELD]
    assert first == record(1), "nulls and all"
    assert headers["X-PING8-Kumo-Token"] == TOKEN
    assert host.left() == host.damaged() == []


def test_a_segment_that_kumod_still_writes_is_left_alone(host: Host) -> None:
    host.write("20261101-120000.1", record(1), done=False)
    service = host.service()
    service.work()
    host.elapsed += ABANDONED_AFTER - 1
    service.work()
    assert (host.ids(), host.left()) == ([], ["20261101-120000.1"])


def test_a_segment_that_a_crash_left_open_is_read_though_nothing_marks_it(host: Host) -> None:
    """As after a change to the log hook: kumod then never looks at the outbox."""
    host.write("20261101-120000.1", record(1), done=False)
    service = host.service()
    service.work()
    host.elapsed += ABANDONED_AFTER
    service.work()
    assert (host.ids(), host.left()) == (["0001"], [])


def test_the_clock_steps_back_and_no_segment_is_skipped(host: Host) -> None:
    host.write("20261101-120000.1", record(1))
    service = host.service()
    service.work()
    host.write("20261101-110000.1", record(2))
    service.work()
    host.write("20261101-120000.0", record(3))
    host.service().work()
    assert (host.ids(), host.left()) == (["0001", "0002", "0003"], [])


@pytest.mark.parametrize(
    "position",
    [
        b"",
        b"{",
        b"[]",
        b'{"segment": "20261101-130000.1", "lines": 7}',
        b'{"segment": "/elsewhere/20261101-120000.1", "lines": 1}',
        b'{"segment": "20261101-120000.1", "lines": "x"}',
        b'{"segment": "20261101-120000.1", "lines": null}',
    ],
)
def test_no_checkpoint_can_make_it_skip_an_event(host: Host, position: bytes) -> None:
    (host.places.outbox / ".position").write_bytes(position)
    host.write("20261101-120000.1", record(1), record(2))
    host.service().work()
    assert host.ids() == ["0001", "0002"]


def test_a_restart_goes_on_within_a_segment(host: Host) -> None:
    host.set(batch_size=1)
    host.write("20261101-120000.1", *(record(number) for number in range(250)))
    host.receiver.answer = lambda _body: (
        (503, b"") if len(host.receiver.posts) > 200 else (200, b"")
    )
    with pytest.raises(Stopped):
        host.service().work()
    host.receiver.posts.clear()
    host.receiver.answer = lambda _body: (200, b"")
    host.service().work()
    assert host.ids() == [f"{number:04x}" for number in range(200, 250)]


def test_a_torn_segment_gives_its_lines_and_is_kept_elsewhere(host: Host) -> None:
    many = [record(number, size=number * 7919) for number in range(20_000)]
    lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in many)
    host.put("20261101-120000.1", zstandard.compress(lines)[:-2000])
    host.write("20261101-120002.1", record(0xFFFF))
    host.set(batch_size=1000)
    host.service().work()
    assert 1 < len(host.ids()) < 20_001
    assert host.ids()[-1] == "ffff"
    assert (host.left(), host.damaged()) == ([], ["20261101-120000.1"])


@pytest.mark.parametrize("content", [b"", b"no zstd", zstandard.compress(b'{"type": "Deliv')])
def test_what_cannot_be_read_to_its_end_is_moved_away_and_holds_nothing_up(
    host: Host, content: bytes
) -> None:
    host.put("20261101-120000.1", content)
    host.write("20261101-120002.1", record(2))
    host.service().work()
    assert (host.ids(), host.damaged()) == (["0002"], ["20261101-120000.1"])


def test_a_line_that_is_no_record_costs_only_itself(host: Host) -> None:
    good = json.dumps(record(1)).encode()
    host.put("20261101-120000.1", zstandard.compress(b"{]\n[]\n" + good + b"\n"))
    host.service().work()
    assert (host.ids(), host.damaged()) == (["0001"], ["20261101-120000.1"])


def test_a_line_may_be_as_long_as_a_message(host: Host) -> None:
    """kumod's own tailer reads nothing of a segment after a line of 128 KiB."""
    long = "x" * 3_000_000
    host.write("20261101-120000.1", record(1), record(2, note=long), record(3, note=long))
    host.service().work()
    assert host.ids() == ["0001", "0002", "0003"]
    assert len(host.receiver.posts) == 2, "no POST is much longer than 4 MiB"


def test_an_event_on_which_ping8_fails_waits_alone(host: Host) -> None:
    host.receiver.answer = refuse_where("0007")
    host.write("20261101-120000.1", *(record(number) for number in range(50)))
    service = host.service()
    service.work()
    assert host.waits == [], "no other event waited"
    assert host.stored("waiting") == ["0007"]
    assert host.left() == []
    assert len(host.receiver.posts) < 20
    host.receiver.posts.clear()
    service.work()
    assert host.ids() == [], "not before its time"
    host.now += 60
    service.work()
    assert host.ids() == ["0007"]
    host.receiver.answer = lambda _body: (200, b"")
    host.now += 119
    service.work()
    assert host.ids() == ["0007"], "its pauses grow"
    host.now += 1
    service.work()
    assert host.ids() == ["0007", "0007"]
    assert host.stored("waiting") == host.stored("dead_letters") == []


def test_a_batch_of_only_such_events_does_not_block_the_queue(host: Host) -> None:
    host.receiver.answer = refuse_where(*(f"{number:04x}" for number in range(50)))
    host.write("20261101-120000.1", *(record(number) for number in range(50)))
    host.write("20261101-120002.1", record(99))
    host.service().work()
    assert host.waits == [60, 120, 240]
    assert len(host.stored("waiting")) == 50
    assert host.ids()[-1] == "0063"


def test_one_that_ping8_fails_on_for_a_week_is_a_dead_letter(host: Host) -> None:
    host.receiver.answer = refuse_where("0001")
    host.write("20261101-120000.1", record(1), record(2))
    service = host.service()
    service.work()
    host.now += 7 * 86400 + 1
    service.work()
    assert (host.stored("waiting"), host.stored("dead_letters")) == ([], ["0001"])


def test_the_clock_steps_back_and_waiting_events_are_tried_all_the_same(host: Host) -> None:
    host.receiver.answer = refuse_where("0001")
    host.write("20261101-120000.1", record(1), record(2))
    service = host.service()
    service.work()
    host.receiver.answer = lambda _body: (200, b"")
    host.now -= 30 * 86400
    service.work()
    assert host.stored("waiting") == []


def test_refused_events_are_dead_letters_and_the_others_are_not(host: Host) -> None:
    host.receiver.answer = refuse_where("0003", status=422)
    host.write("20261101-120000.1", *(record(number) for number in range(5)))
    host.service().work()
    assert (host.stored("dead_letters"), host.waits) == (["0003"], [])


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503, 504])
def test_while_ping8_is_away_the_outbox_waits_with_growing_pauses(host: Host, status: int) -> None:
    host.write("20261101-120000.1", record(1))
    host.receiver.answer = lambda _body: (
        (status, b"") if len(host.receiver.posts) < 4 else (200, b"")
    )
    host.service().work()
    assert host.waits == [60, 120, 240]
    assert host.left() == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_redirect_delivers_nothing_and_the_token_stays(
    host: Host, status: int, elsewhere: bool
) -> None:
    other = Receiver()
    target = other if elsewhere else host.receiver
    host.receiver.headers = {"Location": target.url}
    host.receiver.answer = lambda _body: (status, b"")
    host.write("20261101-120000.1", record(1))
    with pytest.raises(Stopped):
        host.service().work()
    assert host.left() == ["20261101-120000.1"]
    assert host.receiver.gets == other.gets == []
    assert other.posts == []
    other.close()


def raw(text: bytes, *, reset: bool = False) -> Callable[[BaseHTTPRequestHandler], bool]:
    """Says this and closes."""

    def behave(handler: BaseHTTPRequestHandler) -> bool:
        handler.wfile.write(text)
        if reset:
            handler.connection.close()
        return True

    return behave


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200",
    ],
)
def test_an_answer_that_breaks_off_is_none(host: Host, said: bytes) -> None:
    """Also of a receiver that stored the events: they come again, and it knows them by id."""
    host.receiver.behave = raw(said, reset=True)
    host.write("20261101-120000.1", record(1))
    with pytest.raises(Stopped):
        host.service().work()
    host.receiver.behave = lambda _handler: False
    host.service().work()
    assert host.left() == []


def test_a_receiver_that_drips_is_given_up_in_time(host: Host) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> bool:
        try:
            for _ in range(1000):
                handler.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass
        return True

    host.most_waits = 1
    host.set(timeout="1s")
    host.receiver.behave = drip
    host.write("20261101-120000.1", record(1))
    with pytest.raises(Stopped):
        host.service().work()
    assert host.left() == ["20261101-120000.1"]


def test_gigabytes_are_not_read(host: Host) -> None:
    sent = 0

    def flood(handler: BaseHTTPRequestHandler) -> bool:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        try:
            while sent < 2**28:
                sent += handler.wfile.write(b"x" * 65536)
        except OSError:
            pass
        return True

    host.receiver.behave = flood
    host.write("20261101-120000.1", record(1))
    host.service().work()
    assert host.left() == []
    assert sent < 2**28


def test_a_connection_that_ping8_closed_while_idle_is_made_again(host: Host) -> None:
    service = host.service()
    host.write("20261101-120000.1", record(1))
    service.work()
    host.receiver.behave = lambda _handler: False
    service._delivery.webhook._connection.sock.close()  # type: ignore[union-attr]
    service._delivery.webhook._connection.sock = _Closed()  # type: ignore[union-attr]
    host.write("20261101-120002.1", record(2))
    service.work()
    assert host.waits == []


class _Closed:
    """A socket whose other end is gone."""

    def sendall(self, _data: bytes) -> None:
        raise BrokenPipeError

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.skipif(os.getuid() != 0, reason="chattr and owners need root")
def test_nothing_counts_as_handled_while_the_store_cannot_be_written(host: Host) -> None:
    host.places.store.mkdir()
    host.receiver.answer = lambda _body: (422, b"")
    host.write("20261101-120000.1", record(1))
    with pytest.raises(Stopped):
        host.service().work()
    assert host.left() == ["20261101-120000.1"]
    host.places.store.rmdir()
    host.service().work()
    assert (host.left(), host.stored("dead_letters")) == ([], ["0001"])


@pytest.mark.parametrize("damage", ["garbage", "page"])
def test_a_corrupt_store_is_put_under_another_name_and_a_new_one_begun(
    host: Host, damage: str
) -> None:
    host.receiver.answer = lambda _body: (422, b"")
    host.write("20261101-120000.1", record(1))
    host.service().work()
    content = bytearray(host.places.store.read_bytes())
    if damage == "garbage":
        content[:] = b"x" * len(content)
    else:
        content[100:4096] = b"\xff" * 3996
    host.places.store.write_bytes(content)
    host.write("20261101-120002.1", record(2))
    host.service().work()
    assert host.stored("dead_letters") == ["0002"]
    assert (host.folder / "dead.sqlite.damaged-1").exists()


def test_a_store_with_a_hot_journal_is_rolled_back(host: Host) -> None:
    host.receiver.answer = lambda _body: (422, b"")
    host.write("20261101-120000.1", record(1))
    host.service().work()
    kept = host.places.store.read_bytes()
    pid = os.fork()
    if not pid:
        db = sqlite3.connect(host.places.store, isolation_level=None)
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO dead_letters VALUES (?, 0, '', ?)",
            [(str(number), "x" * 2000) for number in range(200)],
        )
        os._exit(0)
    os.waitpid(pid, 0)
    assert host.places.store.with_name("dead.sqlite-journal").exists()
    host.receiver.answer = lambda _body: (200, b"")
    host.service().work()
    assert host.stored("dead_letters") == ["0001"]
    assert host.places.store.read_bytes() == kept
