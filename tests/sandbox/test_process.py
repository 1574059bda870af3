"""Programs that the sandbox runs, and what it says when they fail."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.process import Daemon, SandboxError, run, wait_until


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(name="server", folder=tmp_path, command=("sleep", "1000"))
    yield made
    made.stop()


def test_a_failure_names_the_program_and_what_it_said_but_not_its_arguments() -> None:
    script = "import sys; sys.exit('no room left')"
    with pytest.raises(SandboxError) as failed:
        run([sys.executable, "-c", script, "s3cret"])
    assert "no room left" in str(failed.value)
    assert "s3cret" not in str(failed.value)


def test_a_wrapper_is_not_named_in_place_of_its_program() -> None:
    with pytest.raises(SandboxError, match=r"^false: exit 1"):
        run(["env", "--", "false"])


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(SandboxError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_daemon_runs_once_and_stops_on_request(daemon: Daemon) -> None:
    daemon.start()
    pid = daemon.pid()
    daemon.start()
    assert daemon.pid() == pid
    daemon.stop()
    assert daemon.pid() is None


def test_a_daemon_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    stubborn = Daemon(
        name="stubborn",
        folder=tmp_path,
        command=("sh", "-c", "trap '' TERM; echo deaf; while :; do read x; done < /dev/zero"),
    )
    stubborn.start()
    wait_until(lambda: "deaf" in stubborn.log.read_text(), "the trap", seconds=10)
    stubborn.stop(patience=0.1)
    assert stubborn.pid() is None


def test_another_process_with_the_same_number_is_not_the_daemon(daemon: Daemon) -> None:
    with subprocess.Popen(["sleep", "1000"]) as other:
        (daemon.folder / "server.pid").write_text(f"{other.pid} 1\n")
        assert daemon.pid() is None
        daemon.stop()
        assert other.poll() is None
        other.kill()


def test_a_daemon_that_died_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = Daemon(name="broken", folder=tmp_path, command=("sh", "-c", "echo port taken; exit 1"))
    with pytest.raises(SandboxError, match="port taken"):
        broken.start(lambda: False)


def test_a_daemon_killed_by_others_counts_as_gone(daemon: Daemon) -> None:
    daemon.start()
    pid = daemon.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: daemon.pid() is None, "its end", seconds=10)
