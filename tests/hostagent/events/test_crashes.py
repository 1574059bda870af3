"""What a crash of kumod leaves: a mark, a count, and a list of what has no known fate."""

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostagent.events import events, life
from hostagent.events.outbox import Reconciling
from hostagent.events.reconcile import Clock
from tests.hostagent.events.test_events import record, write_segment
from tests.hostagent.metrics.station import Server

NOW = 1_793_534_400 + 3600


class Kumod(Server):
    """Holds some messages; as the real one it answers 500 for one that it does not have."""

    def __init__(self) -> None:
        super().__init__({})
        self.held: set[str] = set()

    def answer(self, path: str, query: Any) -> tuple[int, bytes]:
        assert path == "/api/admin/inspect-message/v1", urllib.parse.urlencode(query)
        if query["id"] in self.held:
            return 200, b"{}"
        return 500, f"Error: no such key {query['id']}".encode()


@pytest.fixture
def kumod() -> Iterator[Kumod]:
    kumod = Kumod()
    yield kumod
    kumod.close()


@pytest.fixture
def places(tmp_path: Path, kumod: Kumod) -> events.Places:
    (tmp_path / "logs").mkdir()
    return events.Places(
        logs=tmp_path / "logs",
        life=tmp_path / "kumod.json",
        report=tmp_path / "reconciled.json",
        kumod=kumod.url,
        clock=Clock(now=lambda: NOW, sleep=lambda _seconds: None),
    )


def done(places: events.Places) -> None:
    for path in places.logs.iterdir():
        path.chmod(0o440)


def reconciled(
    places: events.Places, capsys: pytest.CaptureFixture[str], *arguments: str
) -> dict[str, Any]:
    assert events.main(["reconcile", *arguments], places) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert json.loads(places.report.read_text()) == report
    return report


def test_what_has_ended_or_waits_is_known_and_the_rest_is_listed(
    places: events.Places, kumod: Kumod, capsys: pytest.CaptureFixture[str]
) -> None:
    write_segment(
        places,
        "20261101-115800",
        *(record("Reception", id=f"0{number}") for number in range(7)),
        record("Delivery", id="00"),
        record("Bounce", id="01"),
        record("Expiration", id="02"),
        record("AdminBounce", id="03"),
        record("TransientFailure", id="04"),
        record("TransientFailure", id="05"),
        record("Reception", id="report", reception_protocol="ESMTP"),
    )
    done(places)
    kumod.held = {"04"}
    report = reconciled(places, capsys)
    assert [message["id"] for message in report["messages"]] == ["05", "06"]
    assert report["messages"][0]["recipient"] == "u@example.net"
    assert report["messages"][0]["headers"]["X-PING8-Task-Id"] == "t1"
    counts = {name: report[name] for name in ("received", "settled", "waiting", "unknown")}
    assert counts == {"received": 7, "settled": 4, "waiting": 1, "unknown": 2}


def test_a_message_counts_on_the_node_that_it_moved_to(
    places: events.Places, kumod: Kumod, capsys: pytest.CaptureFixture[str]
) -> None:
    came = {"meta": {"first_id": "first", "X-PING8-Task-Id": "t1"}}
    write_segment(
        places,
        "20261101-115800",
        record("Reception", id="gone"),
        record("XferOut", id="gone"),
        *(record("XferIn", id=name, **came) for name in ("sent", "lost")),
        record("Delivery", id="sent", **came),
    )
    done(places)
    report = reconciled(places, capsys)
    assert [message["id"] for message in report["messages"]] == ["first"]
    counts = {name: report[name] for name in ("received", "settled", "waiting", "unknown")}
    assert counts == {"received": 2, "settled": 1, "waiting": 0, "unknown": 1}


def test_what_is_delivered_in_between_is_awaited(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its record is in the segment that is open now, where nobody can read it yet."""
    write_segment(places, "20261101-115800", record("Reception", id="01"))
    done(places)
    write_segment(places, "20261101-125800", torn=0)

    def segment_ends(_seconds: float) -> None:
        write_segment(places, "20261101-125800", record("Delivery", id="01", timestamp=NOW + 9))
        done(places)

    waiting = events.Places(**{**vars(places), "clock": Clock(now=lambda: NOW, sleep=segment_ends)})
    assert reconciled(waiting, capsys)["unknown"] == 0


def test_an_end_before_its_beginning_is_an_end(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    write_segment(
        places, "20261101-115800", record("Delivery", id="01"), record("Reception", id="01")
    )
    assert reconciled(places, capsys)["settled"] == 1


def test_while_kumod_is_down_nothing_is_said_and_it_stays_due(
    places: events.Places, kumod: Kumod, capsys: pytest.CaptureFixture[str]
) -> None:
    write_segment(places, "20261101-115800", record("Reception", id="01"))
    life.write(life.Life(reconcile=True), places.life)
    kumod.close()
    assert events.main(["reconcile", "--due"], places) == 1
    assert "start kumod" in capsys.readouterr().err
    assert life.read(places.life).reconcile
    assert not places.report.exists()


def test_a_reconciliation_that_ran_is_no_longer_due(
    places: events.Places, capsys: pytest.CaptureFixture[str]
) -> None:
    life.write(life.Life(running=5.0, unclean=2, reconcile=True), places.life)
    reconciled(places, capsys, "--due")
    assert life.read(places.life) == life.Life(running=5.0, unclean=2)


@pytest.mark.parametrize("result", ["signal", "oom-kill", "timeout", "core-dump", "exit-code"])
def test_an_unclean_stop_is_counted_and_reconciliation_due(tmp_path: Path, result: str) -> None:
    path = tmp_path / "kumod.json"
    assert not life.started(path, 1.0).reconcile
    life.stopped(path, {"SERVICE_RESULT": result})
    again = life.started(path, 9.0)
    assert (again.unclean, again.reconcile, again.last_unclean) == (1, True, 9.0)


def test_a_power_cut_and_a_lost_instance_leave_the_mark_too(tmp_path: Path) -> None:
    path = tmp_path / "kumod.json"
    life.started(path, 1.0)
    assert life.started(path, 2.0).unclean == 1


def test_a_clean_stop_is_none_of_that(tmp_path: Path) -> None:
    path = tmp_path / "kumod.json"
    life.started(path, 1.0)
    life.stopped(path, {"SERVICE_RESULT": "success"})
    assert life.started(path, 2.0) == life.Life(running=2.0)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": 1}'])
def test_a_broken_mark_stops_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kumod.json"
    path.write_text(content)
    assert life.started(path, 2.0).running == 2.0


def test_the_service_reconciles_once_when_it_is_due_and_again_until_that_succeeds(
    tmp_path: Path,
) -> None:
    mark, told = tmp_path / "kumod.json", tmp_path / "told"
    moment = [0.0]
    reconciling = Reconciling(
        ["sh", "-c", f"echo >>{told}; exit 1"], mark, elapsed=lambda: moment[0]
    )

    def looks(times: int) -> int:
        for _ in range(times):
            reconciling.look()
            if reconciling._process:
                reconciling._process.wait()
        return told.read_text().count("\n") if told.exists() else 0

    assert looks(2) == 0
    life.write(life.Life(reconcile=True), mark)
    assert looks(3) == 1
    moment[0] = 60.0
    assert looks(3) == 2
    life.write(life.Life(), mark)
    moment[0] = 120.0
    assert looks(1) == 2
