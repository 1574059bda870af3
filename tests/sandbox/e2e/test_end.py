"""The end: `pulumi destroy`, and `down`, after which nothing of the sandbox is left."""

import json
import os
import signal
from pathlib import Path

import pytest

from sandbox import run as sandbox_run
from sandbox.parts import status
from sandbox.process import Daemon, run
from sandbox.run import Sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.ends_sandbox]


def test_destroy_removes_hosts_volumes_and_records(sandbox_up: Sandbox) -> None:
    sandbox_up.stack.destroy(on_output=lambda _line: None)
    hosts = sandbox_up.hosts
    assert hosts.names() == []
    assert hosts.volumes.ids() == []
    left = [record for zone in sandbox_up.parts.zones for record in zone.records]
    assert {record.type for record in left} <= {"SOA", "NS"}


def test_a_sandbox_whose_aws_was_lost_says_so_and_starts_over(sandbox_up: Sandbox) -> None:
    layout = sandbox_up.layout
    providers = Daemon(name="providers", folder=layout.daemons, command=()).pid()
    assert providers is not None
    os.kill(providers, signal.SIGKILL)
    said: list[str] = []
    again = sandbox_run.existing(layout, said.append)
    assert "the stand-in for AWS has ended, and its account with it: starting over" in said
    assert not again.stack.export_stack().deployment.get("resources")  # type: ignore[union-attr]


def test_down_leaves_nothing_on_the_machine(sandbox_up: Sandbox) -> None:
    layout = sandbox_up.layout
    sandbox_run.down(layout, print)
    assert not layout.state.exists()
    assert "ping8-" not in run(["podman", "ps", "--all", "--format", "{{.Names}}"]).stdout
    assert "ping8-" not in run(["ip", "netns", "list"]).stdout
    links = json.loads(run(["ip", "-json", "link"]).stdout)
    assert not [link for link in links if link["ifname"].startswith("ping8")]
    assert str(layout.root) not in run(["losetup", "--list", "--output", "BACK-FILE"]).stdout
    assert not [
        line
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(layout.state) in (line := _read(path))
    ]
    assert not list(Path("/run").glob("ping8-*"))
    assert not any(status(layout).values())
    assert not layout.state.exists()


def _read(path: Path) -> str:
    try:
        return path.read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""
