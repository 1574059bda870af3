"""Pulumi as a child: what an interrupt does to it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PULUMI = """#!{python}
import pathlib, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
pathlib.Path("{folder}/began").touch()
signal.sigwait([signal.SIGINT])
time.sleep(1)
pathlib.Path("{folder}/ended").touch()
"""
"""It ends an update for longer than Python waits for a child before it kills it."""

_PING8 = """
import pathlib, signal, subprocess
from ops import engine
wait = subprocess.Popen.wait
def announced(process):
    pathlib.Path("{folder}/waits").touch()
    return wait(process)
subprocess.Popen.wait = announced
signal.signal(signal.SIGINT, signal.default_int_handler)
engine.run("prod", "up")
"""


def test_an_interrupt_waits_until_pulumi_has_ended_its_update(tmp_path: Path) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(_PULUMI.format(python=sys.executable, folder=tmp_path))
    pulumi.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-c", _PING8.format(folder=tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        while not ((tmp_path / "began").exists() and (tmp_path / "waits").exists()):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert (tmp_path / "ended").exists()
    assert said.rstrip().endswith("KeyboardInterrupt")
