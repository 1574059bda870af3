"""Which Pulumi engine the sandbox takes."""

from pathlib import Path

import pytest

from sandbox import engine


def program(folder: Path, version: str) -> Path:
    path = folder / "bin" / "pulumi"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("version", "good"),
    [("v3.274.1", True), ("v3.275.0", True), ("v3.99.0", False), ("v4.0.0", False), ("dev", False)],
)
def test_an_engine_as_new_as_the_pinned_one_is_accepted(
    tmp_path: Path, version: str, *, good: bool
) -> None:
    assert engine.pinned_version() == "3.274.1"
    assert engine.accepts(program(tmp_path, version)) is good


def test_the_engine_on_path_goes_before_the_cached_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = program(tmp_path / "path", "v3.275.0")
    cached = program(tmp_path / "cache" / "engine", "v3.274.1")
    monkeypatch.setenv("PATH", f"{on_path.parent}:/bin:/usr/bin")
    assert engine.ensure_engine(tmp_path / "cache") == on_path
    on_path.unlink()
    assert engine.ensure_engine(tmp_path / "cache") == cached
