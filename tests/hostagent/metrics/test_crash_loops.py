"""Each unit in a crash loop, a blind alarm and a spool that stopped are seen by the timer."""

from typing import Any

import pytest

from hostagent.metrics.stuck import REASON
from hostagent.push import lock
from policy.metrics import load
from policy.render.example import example_addresses, throw_away_secrets
from policy.render.mta import render_mta
from policy.render.proxy import render_proxy
from tests.examples import LARGE, settings_of
from tests.hostagent.metrics.conftest import Make
from tests.hostagent.metrics.station import Nginx, Server, Station
from tests.hostagent.world import World, release

RESTART = ["systemctl", "restart", "--no-block", "kumomta.service"]
SETTINGS = settings_of(LARGE, logs={"ship": True, "bucket": "example-logs"})
ADDRESSES = example_addresses(SETTINGS)
SECRETS = throw_away_secrets(SETTINGS)
UNITS = {
    *render_mta(SETTINGS, "mta-1", ADDRESSES, SECRETS).units,
    *render_proxy(SETTINGS, "proxy-1", ADDRESSES, SECRETS).units,
}


def test_a_timer_that_stops_sending_raises_an_alarm() -> None:
    alarm = load().alarm("no-data")
    assert alarm.missing == "breaching"
    assert "no-data" in load().composite.any


@pytest.mark.parametrize("unit", sorted(UNITS - {"ping8-metrics.timer"}))
def test_each_unit_in_a_crash_loop_raises_an_alarm(mta: Make, host: World, unit: str) -> None:
    host.push(release(units=(*sorted(UNITS),)))
    here = mta()
    here.run()
    name, loops = unit, "activating"
    if unit.endswith(".timer"):
        name, loops = f"{unit[:-6]}.service", "failed"
    assert here.metrics()["units_down", ()] == 0
    host.play.state[name] = loops
    here.run()
    assert here.metrics()["units_down", ()] == 1
    assert (load().alarm("units-down").is_, load().alarm("units-down").limit) == ("above", 0)


def test_a_unit_that_is_active_at_each_look_but_restarted_between_them_is_down(
    mta: Make, host: World
) -> None:
    here = mta()
    here.run()
    assert here.metrics()["units_down", ()] == 0
    for count in (1, 2, 7):
        host.play.restarts["kumomta.service"] = count
        here.run()
        assert here.metrics()["units_down", ()] == 1
    here.run()
    assert here.metrics()["units_down", ()] == 0
    host.play.restarts["kumomta.service"] = 0
    here.run()
    assert here.metrics()["units_down", ()] == 0


@pytest.mark.parametrize("code", [200, 400, 404, 500, 503])
def test_an_injection_path_that_does_not_ask_for_a_token_is_down(
    mta: Make, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    here = mta()
    here.run()
    assert here.metrics()["injection_up", ()] == 1
    monkeypatch.setattr(Nginx, "refusal", code)
    here.run()
    assert here.metrics()["injection_up", ()] == 0


def test_a_dead_nginx_is_down(mta: Make) -> None:
    here = mta(tls="127.0.0.1:1")
    here.run()
    assert here.metrics()["injection_up", ()] == 0
    assert here.metrics()["metrics_missing", ()] == 1


def test_what_a_host_cannot_find_out_is_counted(mta: Make, tmp_path: Any) -> None:
    here = mta()
    here.run()
    assert here.metrics()["metrics_missing", ()] == 0
    (tmp_path / "dead.sqlite").write_bytes(b"this is no database, and never was one\n" * 40)
    here.run()
    assert here.metrics()["metrics_missing", ()] == 1


def restarts(host: World) -> int:
    return sum(words == RESTART for words in host.play.asked)


def stuck(mta: Make, kumod: Server) -> Station:
    kumod.liveness, kumod.says = 503, REASON.encode()
    here = mta()
    room(here, limit=0)
    return here


def room(here: Station, *, limit: int) -> None:
    volumes = {
        name: {"path": "/", "limit_percent": limit, "kept_bytes": 0} for name in ("spool", "logs")
    }
    here.set(volumes=volumes)


def test_a_spool_that_takes_no_writes_though_there_is_room_is_restarted_and_counted(
    mta: Make, kumod: Server, host: World
) -> None:
    here = stuck(mta, kumod)
    here.run()
    assert restarts(host) == 0
    here.run()
    assert restarts(host) == 1
    assert here.metrics()["spool_restarts", ()] == 1
    kumod.liveness, kumod.says = 200, b"OK"
    here.run()
    assert here.metrics()["spool_restarts", ()] == 0


def test_a_restart_that_does_not_help_is_not_repeated_each_minute(
    mta: Make, kumod: Server, host: World
) -> None:
    here = stuck(mta, kumod)
    for _ in range(13):
        here.run()
    assert restarts(host) == 2


@pytest.mark.parametrize("says", [b"waiting for spool startup", b"storage is too full", b"OK"])
def test_a_kumod_that_refuses_for_another_reason_is_left_alone(
    mta: Make, kumod: Server, host: World, says: bytes
) -> None:
    here = stuck(mta, kumod)
    kumod.says = says
    for _ in range(5):
        here.run()
    assert restarts(host) == 0


def test_a_spool_without_room_is_not_restarted(mta: Make, kumod: Server, host: World) -> None:
    here = stuck(mta, kumod)
    room(here, limit=100)
    for _ in range(5):
        here.run()
    assert restarts(host) == 0


def test_a_push_at_work_is_not_disturbed(mta: Make, kumod: Server, host: World) -> None:
    here = stuck(mta, kumod)
    with lock.locked(host.host(), "push", wait=0):
        for _ in range(5):
            here.run()
    assert restarts(host) == 0
