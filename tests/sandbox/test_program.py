"""What a killed run leaves behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

from sandbox.layout import Layout
from sandbox.program import release_dead_locks


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
