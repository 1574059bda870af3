"""What a killed run leaves behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from policy.settings import load
from policy.settings.raw import from_stack_file
from policy.settings.stack_file import read_stack_file
from sandbox.layout import Layout
from sandbox.program import nodes, release_dead_locks, take_settings

ROOT = Path(__file__).parents[2]


def lock(layout: Layout, name: str, content: str) -> Path:
    path = layout.backend / ".pulumi" / "locks" / "organization" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_a_killed_runs_lock_is_opened_and_a_living_ones_is_not(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = lock(layout, "dead", json.dumps({"pid": ended.pid}))
    living = lock(layout, "living", json.dumps({"pid": os.getpid()}))
    half_written = lock(layout, "half", "{")
    release_dead_locks(layout)
    assert not dead.exists()
    assert living.exists()
    assert half_written.exists()


def test_a_run_takes_the_checkouts_settings_and_keeps_what_state_is_encrypted_with(
    tmp_path: Path,
) -> None:
    layout = Layout(root=tmp_path)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.sandbox.yaml").write_text("config:\n  a: 1\n")
    copy = layout.state / "project" / "stacks" / "Pulumi.sandbox.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text("config:\n  a: left by a test\nencryptionsalt: v1:x\n")
    take_settings(layout)
    assert copy.read_text() == "encryptionsalt: v1:x\nconfig:\n  a: 1\n"


def test_the_stack_of_several_nodes_is_the_sandboxs_with_a_proxy_in_each_zone(
    tmp_path: Path,
) -> None:
    layout = Layout(root=tmp_path)
    (tmp_path / "stacks").mkdir()
    shutil.copy2(ROOT / "stacks" / "Pulumi.sandbox.yaml", tmp_path / "stacks")
    assert nodes(layout) == 1
    copy = layout.project / "stacks" / "Pulumi.sandbox.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text("config: {}\n")
    take_settings(layout, 2)
    assert nodes(layout) == 2
    found = read_stack_file(copy)
    settings = load(
        from_stack_file(found.config),
        environment="sandbox",
        region=found.region,
        directory=copy.parent,
    )
    assert settings.mta.host_names == ("mta-1", "mta-2")
    assert {proxy.subnet for proxy in settings.proxies} == {0, 1}
    for pool in settings.pools:
        assert len({settings.source(name).proxy for name in pool.sources}) == 2
    assert settings.domains
