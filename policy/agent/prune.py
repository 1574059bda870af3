"""`ping8-agent prune`: delete old segments of KumoMTA's logs, which nothing else ever deletes."""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

STILL_WRITTEN = 900
"""Seconds: kumod closes a segment after five minutes, so a file this young may be open."""


@dataclass(frozen=True)
class Segment:
    """One log file."""

    path: Path
    modified: float
    size: int


def to_delete(
    segments: Iterable[Segment], *, now: float, keep_seconds: float, keep_bytes: int
) -> list[Segment]:
    """The segments over the age, and the oldest of the rest until what stays fits the size.

    Neither the newest nor one that may still be written is ever among them.
    """
    newest_first = sorted(segments, key=lambda segment: segment.modified, reverse=True)
    kept_bytes = 0
    chosen = []
    full = False
    for position, segment in enumerate(newest_first):
        age = now - segment.modified
        # Once one is too much, so is every older one: what stays has no gaps.
        full = full or kept_bytes + segment.size > keep_bytes
        if position > 0 and age > STILL_WRITTEN and (age > keep_seconds or full):
            chosen.append(segment)
        else:
            kept_bytes += segment.size
    return chosen


def read_segments(directory: Path) -> list[Segment]:
    """Regular files of the directory itself; one that vanishes meanwhile is no error."""
    found = []
    for path in directory.iterdir():
        try:
            if path.is_symlink() or not path.is_file():
                continue
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append(Segment(path, status.st_mtime, status.st_size))
    return found


def main(arguments: Sequence[str]) -> int:
    """Delete, and print what was deleted and what stayed as JSON."""
    parser = argparse.ArgumentParser(prog="ping8-agent prune", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--keep-seconds", type=int, required=True)
    parser.add_argument("--keep-gib", type=int, required=True)
    options = parser.parse_args(arguments)
    segments = read_segments(options.directory)
    chosen = to_delete(
        segments,
        now=time.time(),
        keep_seconds=options.keep_seconds,
        keep_bytes=options.keep_gib * 1024**3,
    )
    for segment in chosen:
        segment.path.unlink(missing_ok=True)
    deleted = sum(segment.size for segment in chosen)
    report = {
        "deleted": len(chosen),
        "deleted_bytes": deleted,
        "kept": len(segments) - len(chosen),
        "kept_bytes": sum(segment.size for segment in segments) - deleted,
    }
    print(json.dumps(report))
    return 0
