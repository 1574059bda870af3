"""What goes wrong for the timer leaves mail untouched, and the next run whole."""

import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from hostagent import web
from hostagent.metrics import run_state, timer
from hostagent.metrics.disks import Volume, disks, takes_no_writes
from hostagent.push.lock import locked
from tests.file_systems import FileSystem, needs_a_loop_device
from tests.hostagent.metrics.conftest import Make
from tests.hostagent.metrics.station import Server, Station, captured
from tests.hostagent.world import World


def lose_the_network(here: Station) -> None:
    here.sent.refuse = "monitoring.eu-central-1.amazonaws.com cannot be reached: no route"


def test_without_a_network_a_run_fails_with_one_line(
    mta: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    here = mta()
    lose_the_network(here)
    assert here.run() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "cannot be reached" in said.err


def test_flows_that_could_not_be_sent_go_summed_up_with_the_next_run(
    mta: Make, kumod: Server
) -> None:
    here = mta()
    here.run()
    lose_the_network(here)
    kumod.metrics = captured("busy")
    assert here.run() == 1
    more = captured("busy")
    more["total_messages_received"]["value"]["service"]["http_listener"] += 7
    kumod.metrics = more
    assert here.run() == 1
    here.sent.refuse = ""
    assert here.run() == 0
    assert len(here.sent.bodies) == 2
    assert here.metrics()["messages_received", ()] == 5027
    here.run()
    assert here.metrics()["messages_received", ()] == 0


def test_an_outage_of_any_length_leaves_a_state_of_the_same_size(mta: Make, kumod: Server) -> None:
    here = mta()
    kumod.metrics = captured("busy")
    lose_the_network(here)
    sizes = []
    for _ in range(6):
        here.run()
        sizes.append(here.places.state.stat().st_size)
    assert max(sizes) - min(sizes[1:]) < 100


def test_a_kumod_that_is_down_is_reported_with_all_that_the_host_knows(
    mta: Make, kumod: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    here = mta()
    kumod.close()
    assert here.run() == 0
    found = here.metrics()
    assert (found["kumod_up", ()], found["kumod_accepting", ()]) == (0, 0)
    assert ("disk_free_percent", ("spool",)) in found
    assert ("units_down", ()) in found
    assert ("messages_scheduled", ()) not in found
    assert "kumod does not answer" in capsys.readouterr().err


def test_a_kumod_that_was_away_loses_no_flow_and_makes_none_up(mta: Make, kumod: Server) -> None:
    here = mta()
    kumod.metrics = captured("busy")
    here.run()
    kumod.liveness = 0
    kumod.metrics = b"not JSON"
    here.run()
    kumod.metrics = captured("busy")
    kumod.liveness = 200
    here.run()
    assert here.metrics()["messages_delivered", ()] == 0


def test_a_slow_kumod_is_given_up_and_counts_as_down(
    mta: Make, kumod: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_EACH", 0.05)
    monkeypatch.setattr(web.Deadline.left, "__defaults__", (0.05,))
    here = mta()
    kumod.hold.clear()
    try:
        assert here.run() == 0
    finally:
        kumod.hold.set()
    assert here.metrics()["kumod_up", ()] == 0


def test_kumod_is_asked_a_bounded_number_of_questions(mta: Make, kumod: Server) -> None:
    here = mta()
    busy = captured("busy")
    busy["scheduled_count"]["value"]["queue"] = {f"q{number}": 5 for number in range(1000)}
    kumod.metrics = busy
    here.run()
    assert len(kumod.asked) <= 11


def test_kumod_is_only_ever_asked_what_changes_nothing(mta: Make, kumod: Server) -> None:
    here = mta()
    kumod.metrics = captured("busy")
    here.run()
    assert set(kumod.asked) <= {
        "/api/check-liveness/v1",
        "/metrics.json",
        "/api/admin/inspect-sched-q/v1",
        "/api/admin/inspect-message/v1",
    }


def test_a_second_run_at_the_same_time_does_nothing(
    mta: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    here = mta()
    here.run()
    with here.places.state.with_suffix(".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert here.run() == 0
    assert len(here.sent.bodies) == 1
    assert "another run is active" in capsys.readouterr().err


def test_runs_side_by_side_send_each_flow_once(mta: Make, kumod: Server) -> None:
    here = mta()
    here.run()
    kumod.metrics = captured("busy")
    runs = [threading.Thread(target=here.run) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    received = [
        here.metrics(call)["messages_received", ()] for call in range(len(here.sent.bodies))
    ]
    assert sum(received) == 5020


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": 1}', "null"])
def test_a_broken_state_is_a_new_one(mta: Make, content: str) -> None:
    here = mta()
    here.places.state.parent.mkdir()
    here.places.state.write_text(content)
    assert here.run() == 0


def test_a_state_comes_back_as_it_was(mta: Make, kumod: Server) -> None:
    here = mta()
    here.run()
    kumod.metrics = captured("busy")
    lose_the_network(here)
    here.run()
    state = run_state.read(here.places.state)
    run_state.write(state, here.places.state)
    assert vars(run_state.read(here.places.state)) == vars(state)
    assert state.unsent


def test_a_missing_configuration_is_reported_with_the_fix(
    mta: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    here = mta()
    here.places.config.unlink()
    assert here.run() == 1
    assert "push again" in capsys.readouterr().err


def test_one_metric_that_fails_takes_no_other_with_it(mta: Make, tmp_path: Path) -> None:
    (tmp_path / "dead.sqlite").write_bytes(b"this is no database, and never was one\n" * 40)
    here = mta()
    assert here.run() == 0
    found = here.metrics()
    assert ("dead_letters", ()) not in found
    assert ("event_backlog", ()) in found


def test_a_missing_volume_is_reported(mta: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = mta()
    volumes = json.loads(here.places.config.read_text())["volumes"]
    volumes["spool"]["path"] = "/nonexistent"
    here.set(volumes=volumes)
    assert here.run() == 0
    assert "/nonexistent" in capsys.readouterr().err


def test_an_argument_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert timer.main(["--send"]) == 1
    assert "not known" in capsys.readouterr().err


def test_a_volume_of_size_zero_is_no_division_by_zero() -> None:
    assert list(disks({})) == []


# Listeners that die while their process lives --------------------------------------


@pytest.fixture
def closed() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def runs(here: Station, count: int) -> list[float]:
    """The restarts that each of so many runs told."""
    found = []
    for _ in range(count):
        assert here.run() == 0
        found.append(here.metrics()["listener_restarts", ()])
    return found


def test_a_proxy_that_does_not_greet_three_times_is_restarted_and_counted(
    proxy: Station, host: World, closed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy.set(listener=closed)
    host.play.asked.clear()
    assert runs(proxy, 3) == [0, 0, 1]
    assert host.play.changes() == ["restart --no-block kumoproxy.service"]
    assert proxy.metrics()["proxy_up", ()] == 0
    assert f"kumoproxy.service is restarted: {closed} does not greet" in capsys.readouterr().err


def test_a_kumod_whose_port_25_is_silent_is_restarted(mta: Make, host: World, closed: str) -> None:
    here = mta(listener=closed)
    host.play.asked.clear()
    assert runs(here, 3) == [0, 0, 1]
    assert host.play.changes() == ["restart --no-block kumomta.service"]


def test_restarts_that_do_not_help_become_rarer(proxy: Station, closed: str) -> None:
    proxy.set(listener=closed)
    assert [at for at, count in enumerate(runs(proxy, 21), 1) if count] == [3, 9, 21]


def test_one_greeting_in_between_restarts_the_count(
    proxy: Station, host: World, closed: str
) -> None:
    alive = json.loads(proxy.places.config.read_text())["listener"]
    host.play.asked.clear()
    for listener in (closed, closed, alive, closed, closed):
        proxy.set(listener=listener)
        assert runs(proxy, 1) == [0]
    assert host.play.changes() == []


@pytest.mark.parametrize("why", ["not active", "a push", "kumod takes no mail", "no listener"])
def test_a_silent_listener_is_left_alone_where_it_is_not_the_fault(
    why: str, mta: Make, host: World, kumod: Server, closed: str
) -> None:
    here = mta(listener="" if why == "no listener" else closed)
    if why == "not active":
        host.play.state["kumomta.service"] = "activating"
    if why == "kumod takes no mail":
        kumod.liveness = 503
    host.play.asked.clear()
    with locked(host.host(), "push", wait=0) if why == "a push" else nullcontext():
        assert runs(here, 4) == [0, 0, 0, 0]
    assert host.play.changes() == []


def test_a_null_in_the_proxys_metrics_counts_as_zero(proxy: Station, kumod: Server) -> None:
    metrics = captured("proxy")
    metrics["proxy_active_connections"]["value"] = None
    metrics["proxy_connections_failed_total"]["value"]["listener"] = {"10.8.0.20:5000": None}
    kumod.metrics = metrics
    assert proxy.run() == 0
    assert proxy.metrics()["proxy_connections", ()] == 0
    assert proxy.metrics()["proxy_up", ()] == 1


@needs_a_loop_device
@pytest.mark.parametrize("fault", [FileSystem.read_only, FileSystem.fail])
def test_a_volume_that_takes_no_writes_counts_as_full(
    tmp_path: Path, fault: Callable[[FileSystem], None]
) -> None:
    """So the alarms of a full disk are raised."""
    with FileSystem.mounted(tmp_path) as volume:
        assert free_percent(volume.root) > 80
        fault(volume)
        assert free_percent(volume.root) == 0


def test_a_mount_that_the_timers_unit_sees_read_only_is_none(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"7 2 {os.major(device)}:{os.minor(device)} / {tmp_path} ro,relatime - ext4 /dev/x rw,a\n"
    )
    assert not takes_no_writes(str(tmp_path), mounts)


def free_percent(path: Path) -> float:
    found = disks({"spool": Volume(str(path))})
    return next(metric.value for metric in found if metric.name == "disk_free_percent")
