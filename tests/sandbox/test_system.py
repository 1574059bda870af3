"""What the sandbox says and does about the machine that it runs on."""

import os
import shutil
from pathlib import Path

import pytest

from sandbox import system
from sandbox.process import SandboxError


def test_who_is_not_root_reads_why_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="needs root") as refused:
        system.prepare(lambda _: None)
    assert "\n" not in str(refused.value)


def machine(folder: Path, monkeypatch: pytest.MonkeyPatch, *, sources: str) -> Path:
    """A Debian-like machine that has everything but nsd and pebble; returns what apt was told."""
    told = folder / "told"
    programs = folder / "bin"
    programs.mkdir()
    scripts = {
        "apt-get": f'echo "$@" >> {told}; for p; do case "$p" in nsd|pebble) '
        f'ln -sf /bin/true {programs}/"$p";; esac; done',
        "apt-cache": sources,
        "systemctl": f'echo "systemctl $@" >> {told}',
    }
    present = {need.program for need in system.NEEDS} - {"nsd", "pebble"}
    for name, script in {**dict.fromkeys(present, ""), **scripts}.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system, "_POLICY", folder / "policy-rc.d")
    monkeypatch.setenv("PATH", f"{programs}:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: next(programs.glob(name), None))
    return told


def test_missing_packages_are_named_before_they_are_installed_and_start_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = machine(tmp_path, monkeypatch, sources="echo '  Candidate: 1'")
    said: list[str] = []
    system.prepare(said.append)
    assert said == ["installing packages: nsd pebble"]
    assert told.read_text().splitlines() == [
        "install --yes --no-install-recommends nsd pebble",
        "systemctl disable --quiet nsd.service",
    ]
    assert not (tmp_path / "policy-rc.d").exists()


def test_what_the_sources_lack_and_go_can_build_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = machine(
        tmp_path,
        monkeypatch,
        sources='case "$2" in pebble) echo "  Candidate: (none)";; *) echo "  Candidate: 1";; esac',
    )
    (tmp_path / "bin" / "go").symlink_to("/bin/true")
    system.prepare(lambda _: None)
    assert "pebble" not in told.read_text()


def test_a_machine_that_has_everything_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = machine(tmp_path, monkeypatch, sources="")
    for name in ("nsd", "pebble"):
        (tmp_path / "bin" / name).symlink_to("/bin/true")
    system.prepare(lambda _: pytest.fail("nothing is missing"))
    assert not told.exists()
