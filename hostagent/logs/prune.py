"""`ping8-agent prune`: deletes old segments of KumoMTA's logs; nothing else deletes them."""

import argparse
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STILL_WRITTEN = 900
"""Seconds: kumod closes a segment after one minute, so a file this young may be open."""


@dataclass(frozen=True)
class Segment:
    """One log file."""

    path: Path
    modified: float
    size: int


def to_delete(
    segments: Iterable[Segment],
    *,
    now: float,
    keep_seconds: float,
    keep_bytes: int,
    arrived: Mapping[str, int] | None = None,
) -> list[Segment]:
    """The segments over the age limit, and then the oldest until the rest fits the size limit.

    It never includes the newest one or one that may still be open. With `arrived`, sizes
    of segments in S3 by name, age deletes only those; but a full disk would stop mail, so the
    size limit deletes others too.
    """
    newest_first = sorted(segments, key=lambda segment: segment.modified, reverse=True)
    kept_bytes = 0
    chosen = []
    full = False
    for position, segment in enumerate(newest_first):
        age = now - segment.modified
        # If one exceeds the limit, so does every older one: the remainder has no gaps.
        full = full or kept_bytes + segment.size > keep_bytes
        old = age > keep_seconds and has_arrived(segment, arrived)
        if position > 0 and age > STILL_WRITTEN and (old or full):
            chosen.append(segment)
        else:
            kept_bytes += segment.size
    return chosen


def has_arrived(segment: Segment, arrived: Mapping[str, int] | None) -> bool:
    """Whether S3 has this segment; always true if nothing is shipped."""
    return arrived is None or arrived.get(segment.path.name) == segment.size


def read_arrived(path: Path) -> dict[str, int]:
    """The receipts of `ping8-agent ship`; empty if it has never run."""
    try:
        receipts = json.loads(path.read_bytes())["segments"]
        return {name: int(receipt["size"]) for name, receipt in receipts.items()}
    except FileNotFoundError:
        return {}


def read_segments(directory: Path) -> list[Segment]:
    """Regular files in the directory; one that vanishes meanwhile is not an error.

    Nor is a missing directory.
    """
    found: list[Segment] = []
    if not directory.is_dir():
        return found
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
    """Delete, and print what was deleted and what is left as JSON."""
    parser = argparse.ArgumentParser(prog="ping8-agent prune", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--keep-seconds", type=int, required=True)
    parser.add_argument("--keep-gib", type=int, required=True)
    parser.add_argument("--shipped", type=Path, help="receipts of `ping8-agent ship`")
    options = parser.parse_args(arguments)
    segments = read_segments(options.directory)
    arrived = read_arrived(options.shipped) if options.shipped else None
    chosen = to_delete(
        segments,
        now=time.time(),
        keep_seconds=options.keep_seconds,
        keep_bytes=options.keep_gib * 1024**3,
        arrived=arrived,
    )
    for segment in chosen:
        segment.path.unlink(missing_ok=True)
    deleted = sum(segment.size for segment in chosen)
    report = {
        "deleted": len(chosen),
        "deleted_bytes": deleted,
        "deleted_unshipped": sum(not has_arrived(segment, arrived) for segment in chosen),
        "kept": len(segments) - len(chosen),
        "kept_bytes": sum(segment.size for segment in segments) - deleted,
    }
    print(json.dumps(report))
    return 0
