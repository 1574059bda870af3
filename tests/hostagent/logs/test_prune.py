"""Which segments of KumoMTA's logs are deleted."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.logs.prune import STILL_WRITTEN, Segment, main, to_delete

NOW = 1_000_000.0
DAY = 86400
SEGMENTS = st.lists(
    st.builds(
        Segment,
        path=st.integers(0, 10**6).map(lambda number: Path(str(number))),
        modified=st.floats(0, NOW),
        size=st.integers(0, 100),
    ),
    unique_by=lambda segment: segment.path,
)


def segment(name: str, *, age: float, size: int = 10) -> Segment:
    return Segment(Path(name), NOW - age, size)


def names(
    segments: list[Segment], *, keep_seconds: float = DAY, keep_bytes: int = 1000
) -> set[str]:
    chosen = to_delete(segments, now=NOW, keep_seconds=keep_seconds, keep_bytes=keep_bytes)
    return {str(segment.path) for segment in chosen}


def test_a_segment_over_the_age_goes() -> None:
    segments = [segment("new", age=0), segment("young", age=DAY - 1), segment("old", age=DAY + 1)]
    assert names(segments) == {"old"}


def test_over_the_size_the_oldest_go_first() -> None:
    segments = [segment(str(hour), age=hour * 3600) for hour in range(1, 6)]
    assert names(segments, keep_bytes=30) == {"4", "5"}


def test_what_stays_has_no_gap() -> None:
    """A large segment goes with all that are older, however small."""
    segments = [segment("a", age=0), segment("b", age=3600, size=100), segment("c", age=7200)]
    assert names(segments, keep_bytes=50) == {"b", "c"}


def test_the_newest_stays_however_old_and_large() -> None:
    assert names([segment("only", age=10 * DAY, size=5000)]) == set()


@given(SEGMENTS, st.integers(0, 200))
def test_nothing_that_may_still_be_written_ever_goes(
    segments: list[Segment], keep_bytes: int
) -> None:
    chosen = to_delete(segments, now=NOW, keep_seconds=0, keep_bytes=keep_bytes)
    assert all(NOW - segment.modified > STILL_WRITTEN for segment in chosen)
    assert len(chosen) < max(1, len(segments))


@given(SEGMENTS, st.integers(0, 200))
def test_what_stays_fits_or_may_still_be_written(segments: list[Segment], keep_bytes: int) -> None:
    chosen = to_delete(segments, now=NOW, keep_seconds=NOW, keep_bytes=keep_bytes)
    newest_first = sorted(segments, key=lambda segment: segment.modified, reverse=True)
    kept = [segment for segment in newest_first[1:] if segment not in chosen]
    closed = [segment for segment in kept if NOW - segment.modified > STILL_WRITTEN]
    if closed:
        total = sum(segment.size for segment in segments if segment not in chosen)
        assert total <= keep_bytes


def test_the_verb_deletes_files_and_says_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, age in (("old", 2 * DAY), ("newest", 0)):
        (tmp_path / name).write_bytes(b"x" * 100)
        moment = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (moment, moment))
    (tmp_path / "folder").mkdir()
    assert main(["--directory", str(tmp_path), "--keep-seconds", str(DAY), "--keep-gib", "1"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "newest"]
    assert json.loads(capsys.readouterr().out) == {
        "deleted": 1,
        "deleted_bytes": 100,
        "deleted_unshipped": 0,
        "kept": 1,
        "kept_bytes": 100,
    }
