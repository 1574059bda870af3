"""What goes wrong for the timer leaves mail untouched, and the next run whole."""

import fcntl
import json
import threading
from pathlib import Path

import pytest

from hostagent.metrics import run_state, timer, web
from hostagent.metrics.disks import disks
from tests.hostagent.metrics.conftest import Make
from tests.hostagent.metrics.station import Server, Station, captured


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
    assert here.figures()["messages_received", ()] == 5027
    here.run()
    assert here.figures()["messages_received", ()] == 0


def test_an_outage_of_any_length_leaves_a_state_of_the_same_size(mta: Make, kumod: Server) -> None:
    here = mta()
    kumod.metrics = captured("busy")
    lose_the_network(here)
    sizes = []
    for _ in range(6):
        here.run()
        sizes.append(here.places.state.stat().st_size)
    assert max(sizes) - min(sizes[1:]) < 100


def test_a_kumod_that_is_down_is_told_with_all_that_the_host_knows(
    mta: Make, kumod: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    here = mta()
    kumod.close()
    assert here.run() == 0
    found = here.figures()
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
    assert here.figures()["messages_delivered", ()] == 0


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
    assert here.figures()["kumod_up", ()] == 0


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
    assert "another run is at work" in capsys.readouterr().err


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
        here.figures(call)["messages_received", ()] for call in range(len(here.sent.bodies))
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


def test_a_configuration_that_is_missing_is_told_with_the_mend(
    mta: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    here = mta()
    here.places.config.unlink()
    assert here.run() == 1
    assert "push again" in capsys.readouterr().err


def test_one_figure_that_fails_takes_no_other_with_it(mta: Make, tmp_path: Path) -> None:
    (tmp_path / "dead.sqlite").write_bytes(b"this is no database, and never was one\n" * 40)
    here = mta()
    assert here.run() == 0
    found = here.figures()
    assert ("dead_letters", ()) not in found
    assert ("event_backlog", ()) in found


def test_a_volume_that_is_away_is_told(mta: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = mta()
    volumes = json.loads(here.places.config.read_text())["volumes"]
    volumes["spool"]["path"] = "/nonexistent"
    here.set(volumes=volumes)
    assert here.run() == 0
    assert "/nonexistent" in capsys.readouterr().err


def test_an_argument_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert timer.main(["--send"]) == 1
    assert "not known" in capsys.readouterr().err


def test_a_volume_of_no_size_is_no_division_by_nought() -> None:
    assert list(disks({})) == []
