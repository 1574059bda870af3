"""What the metrics say of a host."""

import datetime
import json
import os
import sqlite3
import time
import uuid
from pathlib import Path

import pytest

from hostagent.events import life
from hostagent.metrics.disks import FOREVER, Use, Volume, hours_until_full, remember
from hostagent.metrics.kumod import counters, created, queues_to_visit
from tests.hostagent.metrics.conftest import ClockedPlay, Make
from tests.hostagent.metrics.station import Server, Station, captured, spool_id
from tests.hostagent.metrics.test_odd_values import CONFIG
from tests.hostagent.world import World

HOUR = 3600.0


def after(here: Station, kumod: Server) -> dict[tuple[str, tuple[str, ...]], float]:
    """Metrics of a busy interval after a fresh one."""
    assert here.run() == 0
    kumod.metrics = captured("busy")
    assert here.run() == 0
    return here.metrics()


def test_flows_are_what_came_since_the_last_run(mta: Make, kumod: Server) -> None:
    found = after(mta(), kumod)
    assert found["messages_received", ()] == 5020
    assert found["messages_delivered", ()] == 1650
    assert found["messages_deferred", ()] == 40
    assert found["messages_bounced", ()] == 15
    assert found["proxy_connection_failures", ()] == 11
    assert found["bind_failures", ()] == 1
    assert found["connections_denied", ()] == 6
    assert found["event_pressure", ()] == 6


def test_flows_are_separated_by_provider_and_source(mta: Make, kumod: Server) -> None:
    found = after(mta(), kumod)
    delivered = {key[1]: value for key, value in found.items() if key[0] == "delivered"}
    assert delivered == {
        ("google", "proxy-default"): 1000,
        ("microsoft", "proxy-default"): 500,
        ("other", "shop-1"): 150,
    }
    bounced = {key[1]: value for key, value in found.items() if key[0] == "bounced"}
    assert bounced == {("yahoo", "shop-2"): 12, ("yahoo", "other"): 3}


@pytest.mark.parametrize(
    ("provider", "counted"),
    [("google", True), ("http://10.8.1.10:8001/.xfer.kumomta.internal", False)],
)
def test_a_transfer_to_another_node_is_no_delivery(provider: str, counted: bool) -> None:
    row = {"provider": provider, "source": "unspecified", "pool": "unspecified", "@": 2}
    kinds = ("delivered", "transfail")
    names = [f"total_messages_{kind}_by_provider_and_source" for kind in kinds]
    found = list(counters({name: {"value": [row]} for name in names}, CONFIG))
    sums = {
        name: sum(one.value for one in found if one.key.startswith(name))
        for name in ("delivered", "deferred")
    }
    assert sums == dict.fromkeys(sums, 2 if counted else 0)


def test_a_second_run_without_news_reports_no_flow(mta: Make, kumod: Server) -> None:
    here = mta()
    after(here, kumod)
    here.run()
    found = here.metrics()
    assert found["messages_delivered", ()] == 0
    assert not [key for key in found if key[0] == "delivered"]


def test_what_kumod_counted_before_the_first_look_is_no_flow(mta: Make, kumod: Server) -> None:
    kumod.metrics = captured("busy")
    here = mta()
    here.run()
    assert here.metrics()["messages_received", ()] == 0


def test_a_restarted_kumod_counts_from_zero(mta: Make, kumod: Server) -> None:
    here = mta()
    after(here, kumod)
    smaller = captured("busy")
    smaller["total_messages_received"]["value"]["service"]["http_listener"] = 30
    kumod.metrics = smaller
    here.run()
    assert here.metrics()["messages_received", ()] == 30


def test_a_queue_that_vanishes_with_its_counter_makes_no_flow(mta: Make, kumod: Server) -> None:
    here = mta()
    after(here, kumod)
    pruned = captured("busy")
    pruned["total_messages_delivered_by_provider_and_source"]["value"].pop(0)
    kumod.metrics = pruned
    here.run()
    assert here.metrics()["messages_delivered", ()] == 0


def test_events_and_messages_wait_apart(mta: Make, kumod: Server) -> None:
    found = after(mta(), kumod)
    assert found["messages_scheduled", ()] == 960
    assert found["messages_ready", ()] == 40
    assert found["event_backlog", ()] == 57
    assert found["memory_used_percent", ()] == 25


def test_all_that_lies_in_the_outbox_waits(mta: Make, kumod: Server, tmp_path: Path) -> None:
    here = mta({"webhook": {"url": "https://app.example.com/", "transport": "outbox"}})
    outbox = tmp_path / "outbox"
    (outbox / "damaged").mkdir(parents=True)
    (outbox / ".position").touch()
    for name, size in (("20261120-120000.1", 512), ("20261120-120002.1", 256)):
        (outbox / name).write_bytes(b"x" * size)
    (outbox / "damaged/20261120-110000.1").touch()
    (tmp_path / "dead.sqlite.damaged-1").touch()
    (tmp_path / "dead.sqlite.damaged-1-journal").touch()
    os.utime(outbox / "20261120-120000.1", (time.time() - 90, time.time() - 90))
    here.run()
    found = here.metrics()
    assert found["event_backlog", ()] == 3
    assert found["outbox_bytes", ()] == 768
    assert found["outbox_segments", ()] == 2
    assert 90 <= found["outbox_seconds", ()] < 120
    assert found["events_damaged", ()] == 2


def test_unclean_stops_are_a_flow_and_what_they_cost_a_state(
    mta: Make, kumod: Server, tmp_path: Path
) -> None:
    here = mta(life=str(tmp_path / "kumod.json"), reconciled=str(tmp_path / "reconciled.json"))
    for _ in range(3):
        life.started(tmp_path / "kumod.json", 1.0)
        here.run()
        (tmp_path / "reconciled.json").write_text('{"unknown": 4}')
    found = here.metrics()
    assert (found["unclean_stops", ()], found["messages_unknown", ()]) == (1, 4)


def test_dead_letters_are_counted_without_touching_them(mta: Make, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "dead.sqlite") as db:
        db.execute("CREATE TABLE dead_letters (event_id TEXT)")
        db.execute("CREATE TABLE waiting (event_id TEXT)")
        db.execute("INSERT INTO waiting VALUES ('c')")
        db.executemany("INSERT INTO dead_letters VALUES (?)", [("a",), ("b",)])
    db.close()
    before = (tmp_path / "dead.sqlite").stat()
    here = mta()
    here.run()
    assert here.metrics()["dead_letters", ()] == 2
    assert here.metrics()["events_alone", ()] == 1
    assert (tmp_path / "dead.sqlite").stat().st_mtime_ns == before.st_mtime_ns


def test_mail_that_nobody_looked_at_is_counted(mta: Make, tmp_path: Path) -> None:
    directory = tmp_path / "inbox" / "new"
    here = mta(inbox=str(directory))
    here.run()
    assert here.metrics()["inbox_unread", ()] == 0
    directory.mkdir(parents=True)
    (directory / "1").write_bytes(b"Subject: Please confirm\n\n")
    here = mta(inbox=str(directory))
    here.run()
    assert here.metrics()["inbox_unread", ()] == 1


def test_a_kumod_that_refuses_mail_is_up_but_takes_none(mta: Make, kumod: Server) -> None:
    kumod.liveness = 503
    here = mta()
    here.run()
    found = here.metrics()
    assert (found["kumod_up", ()], found["kumod_accepting", ()]) == (1, 0)


def test_the_certificate_that_is_served_is_the_one_that_is_judged(mta: Make) -> None:
    here = mta()
    here.run()
    assert 39.9 < here.metrics()["certificate_days", ()] <= 40


def test_an_offset_of_the_clock_has_no_sign_for_the_alarm(mta: Make) -> None:
    here = mta()
    here.run()
    assert here.metrics()["clock_offset_seconds", ()] == 0.25


def test_a_clock_without_a_source_is_reported_as_missing(
    mta: Make, host: World, capsys: pytest.CaptureFixture[str]
) -> None:
    play = host.play
    assert isinstance(play, ClockedPlay)
    play.leap = "Not synchronised"
    here = mta()
    here.run()
    assert ("clock_offset_seconds", ()) not in here.metrics()
    assert "no time source" in capsys.readouterr().err


@pytest.mark.parametrize("state", ["failed", "activating", "inactive"])
def test_a_unit_that_is_down_counts(mta: Make, host: World, state: str) -> None:
    host.play.state["nginx.service"] = state
    here = mta()
    here.run()
    assert here.metrics()["units_down", ()] == 1


def test_a_changed_host_shows_drift_and_its_release_as_a_number(mta: Make, host: World) -> None:
    here = mta()
    here.run()
    before = here.metrics()["drift", ()]
    (host.root / "etc/default/kumomta").write_text("CHANGED=1\n")
    state = json.loads(here.places.state.read_text())
    here.places.state.write_text(json.dumps(state | {"drift_at": 0}))
    here.run()
    assert here.metrics()["drift", ()] == before + 1
    assert here.metrics()["release", ()] == int(host.live()[:8], 16)


# The oldest message ------------------------------------------------------------


def test_the_age_is_that_of_the_oldest_message_seen(mta: Make, kumod: Server) -> None:
    now = time.time()
    kumod.metrics = captured("busy")
    kumod.queues = {
        "default@example.net": [spool_id(now - 60), spool_id(now - 7200)],
        "news@example.org": [spool_id(now - 600)],
        "ping8.log-hook": [spool_id(now - 90000)],
    }
    here = mta()
    here.run()
    assert 7200 <= here.metrics()["oldest_message_seconds", ()] < 7260


def test_the_oldest_message_stays_known_until_it_is_gone(mta: Make, kumod: Server) -> None:
    now = time.time()
    kumod.metrics = captured("busy")
    old, new = spool_id(now - 9000), spool_id(now - 10)
    kumod.queues = {"default@example.net": [old]}
    here = mta()
    here.run()
    kumod.queues = {"default@example.net": [new] * 50 + [old]}
    here.run()
    assert here.metrics()["oldest_message_seconds", ()] >= 9000
    kumod.queues = {"default@example.net": [new]}
    here.run()
    assert here.metrics()["oldest_message_seconds", ()] < 60


def test_no_waiting_message_is_an_age_of_zero(mta: Make) -> None:
    here = mta()
    here.run()
    assert here.metrics()["oldest_message_seconds", ()] == 0


def test_every_queue_has_its_turn() -> None:
    waiting = {f"q{number:02}": float(number) for number in range(20)}
    seen: set[str] = set()
    visited = ""
    for _ in range(4):
        chosen, visited = queues_to_visit(waiting, visited)
        assert len(chosen) == 8
        seen |= set(chosen)
    assert seen == set(waiting)


def test_an_id_contains_the_time_of_its_message() -> None:
    example = uuid.UUID("d7ef132b5d7711eea8c8000c29c33806")
    since_1582 = example.time / 1e7
    days = (datetime.date(1970, 1, 1) - datetime.date(1582, 10, 15)).days
    assert created(example.hex) == pytest.approx(since_1582 - days * 86400, abs=0.001)


# Growth ------------------------------------------------------------------------


def looks(*used: tuple[float, int, int]) -> list[tuple[float, int, int]]:
    kept: list[tuple[float, int, int]] = []
    for look in used:
        kept = remember(kept, look)
    return kept


def test_a_disk_that_fills_reports_when_it_will_be_full() -> None:
    past = looks(*((hour * 600.0, 400 + hour * 10, 5) for hour in range(13)))
    now = Use(used=520, total=1000, inodes_used=5, inodes_total=100)
    # 380 are left to the limit at 10 %, 60 come each hour.
    hours = hours_until_full(past, now, Volume("/", limit_percent=10))
    assert hours == pytest.approx(380 / 60)


def test_inodes_fill_a_disk_too() -> None:
    past = looks(*((hour * 600.0, 400, 50 + hour) for hour in range(7)))
    now = Use(used=400, total=1000, inodes_used=56, inodes_total=80)
    assert hours_until_full(past, now, Volume("/")) == pytest.approx(4)


def test_a_disk_that_empties_or_has_no_past_is_never_full() -> None:
    now = Use(used=100, total=1000, inodes_used=5, inodes_total=100)
    shrinking = looks(*((hour * 600.0, 400 - hour * 10, 5) for hour in range(13)))
    assert hours_until_full(shrinking, now, Volume("/")) == FOREVER
    assert hours_until_full(looks((0, 1, 1), (600, 900, 9)), now, Volume("/")) == FOREVER


def test_logs_that_are_kept_on_purpose_are_no_growth() -> None:
    past = looks(*((hour * 600.0, hour * 30, 5) for hour in range(13)))
    now = Use(used=360, total=1000, inodes_used=5, inodes_total=100)
    assert hours_until_full(past, now, Volume("/", 10, kept_bytes=600)) == FOREVER
    assert hours_until_full(past, now, Volume("/", 10, kept_bytes=300)) < FOREVER


def test_a_clock_that_jumps_back_resets_the_history() -> None:
    assert looks((10 * HOUR, 1, 1), (HOUR, 2, 2)) == [(HOUR, 2, 2)]


def test_only_two_hours_of_the_past_are_kept() -> None:
    kept = looks(*((number * 60.0, number, 1) for number in range(1000)))
    assert len(kept) <= 13
    assert kept[-1][0] - kept[0][0] <= 2 * HOUR


LOST = (
    "\x1b[2m2026-11-28T19:49:44.228332Z\x1b[0m \x1b[31mERROR\x1b[0m  logging-0 "
    "\x1b[2mkumod::logging::files\x1b[0m\x1b[2m:\x1b[0m failed to log: writing record to "
    "/var/log/kumomta/20261128-194940.783335678: No space left on device (os error 28)"
)


def test_records_that_kumod_could_not_write_are_counted(mta: Make, host: World) -> None:
    """As the real one reported a full log volume, while it accepted and delivered."""
    here = mta()
    host.play.journal = f"{LOST}\n" * 3
    here.run()
    assert here.metrics()["records_lost", ()] == 0, "nobody knows since when"
    here.run()
    assert here.metrics()["records_lost", ()] == 3
    asked = next(words for words in host.play.asked if words[0] == "journalctl")
    assert "--unit=kumomta.service" in asked
    host.play.journal = f"said: {LOST}\n2026-11-28T19:49:44Z  INFO main kumod::logging::x: fine\n"
    here.run()
    assert here.metrics()["records_lost", ()] == 0


# Recorded from kumod while the server of the shared limits was away, without the buckets.
LIMITS = {
    "redis_operation_latency": {
        "type": "histogram",
        "value": [
            {"operation": operation, "service": "default@rediss://x:6379-0dd951de", **row}
            for operation, row in (
                ("ping", {"status": "ok", "@": {"avg": 0.01, "count": 1, "sum": 0.01}}),
                ("query", {"status": "error", "@": {"avg": 2.0, "count": 10, "sum": 20.0}}),
                ("query", {"status": "ok", "@": {"avg": 0.002, "count": 667, "sum": 1.3}}),
                ("script", {"status": "error", "@": {"avg": 2.0, "count": 6, "sum": 12.0}}),
                ("odd", {"status": "error", "@": None}),
            )
        ],
    }
}


def test_questions_about_shared_limits_that_had_no_answer_are_counted() -> None:
    found = [item for item in counters(LIMITS, CONFIG) if item.key.startswith("limits ")]
    assert sum(item.value for item in found) == 16
    assert {name for item in found for name, _ in item.feeds} == {"shared_limit_failures"}
    assert [item for item in counters({}, CONFIG) if item.key.startswith("limits ")] == []
