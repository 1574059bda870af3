"""Runs a rendered shell script below a root of its own."""

import os
import subprocess
from pathlib import Path

from policy.release import Release
from tests.examples import text_of


def run_script(
    release: Release, path: str, root: Path, *arguments: str, programs: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """The script at a live path of the release; `programs` are found before the machine's own."""
    script = root / path.lstrip("/")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(text_of(release, path))
    search = os.environ["PATH"] if programs is None else f"{programs}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PING8_ROOT": str(root), "PATH": search},
    )


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
