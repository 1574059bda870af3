"""A short soak on the stand-in: faults at random moments, and nothing is lost."""

import subprocess
import sys

import pytest

from tests.file_systems import needs_a_loop_device


@needs_a_loop_device
@pytest.mark.parametrize("transport", ["log-hook", "outbox"])
def test_a_soak_loses_nothing(transport: str) -> None:
    words = ["--minutes", "0.4", "--seed", "1", "--transport", transport]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0  messages lost\n" in done.stdout
    print(done.stdout)
