"""The verb `status`: what operators and `ping8 doctor` read of a host; it changes nothing."""

import shutil

from hostagent.metrics import configuration, run_state
from hostagent.metrics.status import status
from tests.hostagent.metrics.conftest import Make
from tests.hostagent.metrics.station import Server, Station, captured
from tests.hostagent.world import World


def installed(here: Station, host: World) -> None:
    """The station's configuration and state at their places on the host."""
    for path, source in (
        (configuration.PATH, here.places.config),
        (run_state.PATH, here.places.state),
    ):
        there = host.root / str(path).lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, there)


def test_status_reports_release_units_and_the_metrics_that_doctor_reads(
    mta: Make, kumod: Server, host: World
) -> None:
    here = mta()
    here.run()
    kumod.metrics = captured("busy")
    here.run()
    installed(here, host)
    answer = status(host.host())
    assert answer["release"] == host.live()
    assert answer["kumomta"] == "2026.09.29-b90d8bc1"
    assert {unit["unit"] for unit in answer["units"]} == {"kumomta.service", "nginx.service"}
    assert all(unit["active"] == "active" and unit["restarts"] == 0 for unit in answer["units"])
    found = {(one["name"], *one["dimensions"].values()): one["value"] for one in answer["metrics"]}
    assert set(found) >= {
        *((name, volume) for volume in ("spool", "logs", "root") for name in _VOLUME_METRICS),
        ("memory_used_percent",),
        ("clock_offset_seconds",),
        ("event_backlog",),
        ("dead_letters",),
        ("oldest_message_seconds",),
        ("units_down",),
        ("drift",),
    }
    assert found["clock_offset_seconds",] == -0.25
    assert found["messages_delivered",] == 1650
    assert answer["missing"] == []


_VOLUME_METRICS = (
    "disk_free_percent",
    "inodes_free_percent",
    "disk_free_bytes",
    "disk_total_bytes",
    "hours_until_full",
)


def test_asking_changes_nothing_for_the_timer(mta: Make, kumod: Server, host: World) -> None:
    here = mta()
    here.run()
    installed(here, host)
    kumod.metrics = captured("busy")
    before = run_state.read(host.root / str(run_state.PATH).lstrip("/"))
    status(host.host())
    after = run_state.read(host.root / str(run_state.PATH).lstrip("/"))
    assert vars(after) == vars(before)


def test_a_host_without_its_configuration_still_reports_its_units(host: World) -> None:
    answer = status(host.host())
    assert [one["name"] for one in answer["metrics"]] == ["units_down"]
    assert "push again" in answer["missing"][0]


def test_an_unknown_version_is_reported_as_it_is(host: World) -> None:
    host.play.packages["kumomta"] = "2027.01.01-12345678"
    assert status(host.host())["kumomta"] == "2027.01.01-12345678"
    del host.play.packages["kumomta"]
    assert status(host.host())["kumomta"] is None
