"""Writing that a power cut cannot tear: what is synced, and in which order."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hostagent import durable


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced and renamed, by name, as it happened."""
    seen: list[str] = []
    sync, rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        seen.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        seen.append(f"rename {path.name} {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", renamed)
    return seen


@pytest.mark.parametrize(
    "write",
    [
        lambda path: durable.write_bytes(path, b"content"),
        lambda path: durable.write_json(path, {"a": 1}),
    ],
)
def test_a_file_is_synced_before_its_rename_and_its_directory_after(
    tmp_path: Path, order: list[str], write: Callable[[Path], None]
) -> None:
    write(tmp_path / "note")
    new = ".note.ping8-new"
    assert order == [f"sync {new}", f"rename {new} note", f"sync {tmp_path.name}"]


def test_a_link_is_durable_by_a_sync_of_its_directory(tmp_path: Path, order: list[str]) -> None:
    durable.put_link(tmp_path / "current", "releases/1")
    assert order == ["rename .current.ping8-new current", f"sync {tmp_path.name}"]


def test_a_link_in_the_place_of_a_directory_is_durable_too(
    tmp_path: Path, order: list[str]
) -> None:
    (tmp_path / "current").mkdir()
    (tmp_path / "current/file").write_text("x")
    durable.put_link(tmp_path / "current", "releases/1")
    assert order == [f"sync {tmp_path.name}"]
    assert (tmp_path / "current").readlink() == Path("releases/1")
