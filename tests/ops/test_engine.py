"""Pulumi as a child: what an interrupt does to it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_interrupt_waits_until_pulumi_has_ended_its_update(tmp_path: Path) -> None:
    pulumi = tmp_path / "pulumi"
    # Longer than Python waits for a child before it kills it.
    ends = f"sleep 1; touch {tmp_path}/ended; exit 1"
    pulumi.write_text(f"#!/bin/bash\ntrap '{ends}' INT\ntouch {tmp_path}/began\nread <> <(:)\n")
    pulumi.chmod(0o755)
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from ops import engine; engine.run('prod', 'up')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        while not (tmp_path / "began").exists():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert (tmp_path / "ended").exists()
    assert said.rstrip().endswith("KeyboardInterrupt")
