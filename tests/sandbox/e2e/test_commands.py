"""Every command line of README.md and docs/ that needs a stack works on the sandbox as it is."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import cli, run
from sandbox.parts import STACK
from sandbox.process import SandboxError
from sandbox.run import Sandbox

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[3]
_LINE = re.compile(r"^ {4,}(?:\.venv/bin/)?ping8 +((?!sandbox|init|kumomta).*)$", re.MULTILINE)
_OURS = (
    (r"--(stack|s) \S+", ""),
    (r"[\w.]+@(news\.)?example\.(com|net) ", "news@news.ping8.test "),
    (r"[\w.]+@(example\.net|gmail\.com)\b", "reader@accept.example"),
    (r"\b(news\.)?example\.net\b", "news.ping8.test"),
    (r"--brand \w+", "--brand default"),
    (r"2026-12-01T10:00Z", "2h"),
    (r"2026-12-01T11:00Z", "1h"),
)
"""What the documents call as theirs, and how the sandbox has it."""
_LEFT_OUT = re.compile(
    r"\b[A-Z]{2,}\b|\.\.\.|\||--watch|--block-list|--id |--html|--out |^rollback(?! --list)"
    r"|^(drain|upgrade|rotate)\b|^doctor (--json|--test-event)"
)
"""Placeholders, what never ends, asks the internet, writes files, goes back to no release, or needs
several MTA hosts.

`rotate` writes the stack file of the checkout: `test_rotation` plays it on the sandbox's copy.
`test_doctor` plays the doctor's options.
"""
_ASKS = re.compile(r"^(queue (suspend|bounce)|events replay|reputation acknowledge|shaping lift)")
_NOTHING_MEANT = re.compile(
    r"no queue('s last answer| matches| has)|does not refuse|is not suspended"
)
"""What a command says whose words are right and fit nothing on the sandbox."""
_USAGE, _UNAVAILABLE, _SOFTWARE = 64, 69, 70


def documented() -> Iterator[str]:
    """Command lines with the sandbox's names, each once."""
    seen = set()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for found in _LINE.findall(path.read_text("utf-8")):
            line = found.partition(" #")[0] + " "
            for theirs, ours in _OURS:
                line = re.sub(theirs, ours, line)
            line = " ".join(line.split())
            if line not in seen and not _LEFT_OUT.search(line):
                seen.add(line)
                yield line


def ping8(line: str) -> subprocess.CompletedProcess[str]:
    """As an operator types it who named the stack once."""
    return subprocess.run(
        [sys.executable, "-c", "from ops.main import run; run()", *shlex.split(line)],
        cwd=ROOT,
        env={**os.environ, "PULUMI_STACK": STACK},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.usefixtures("sandbox_up")
@pytest.mark.parametrize("line", list(documented()))
def test_a_documented_command_works_on_the_sandbox(line: str) -> None:
    done = ping8(f"{line} --yes" if _ASKS.search(line) else line)
    assert "Traceback" not in done.stderr
    wrong = done.returncode in (_USAGE, _UNAVAILABLE, _SOFTWARE)
    assert not wrong or _NOTHING_MEANT.search(done.stderr), done.stderr
    if held := re.search(r"ping8 queue resume (\w+)", done.stdout + done.stderr):
        assert ping8(f"queue resume {held[1]} --reason done --yes").returncode == 0


def test_a_host_with_a_unit_that_failed_turns_the_sandbox_red(
    sandbox_up: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "up", lambda *_, **__: sandbox_up)
    instance = sandbox_up.deployment.host("proxy-1").instance_id
    sandbox_up.hosts.execute(instance, "systemd-run", "--unit=e2e-broken", "false")
    try:
        sandbox_up.hosts.execute(
            instance, "sh", "-c", "until systemctl is-failed e2e-broken; do :; done"
        )
        down = "units down on proxy-1: e2e-broken.service"
        with pytest.raises(SandboxError, match=down):
            cli.up()
        done = ping8("sandbox status")
        assert done.returncode != 0
        assert down in done.stderr
    finally:
        sandbox_up.hosts.execute(instance, "systemctl", "reset-failed", "e2e-broken")
    assert ping8("sandbox status").returncode == 0
