"""kumod's local logs: zstd segments of JSON lines, named by the time that they begin."""

import datetime
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOGS = Path("/var/log/kumomta")
# A record is dated when the event happened and lands in whichever segment is then open.
_LEEWAY = 600


def records(directory: Path, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Records of the segments that may hold events from `first` to `last` (Unix time)."""
    for segment in sorted(directory.glob("[0-9]*-[0-9]*")):
        begun = _begun(segment)
        if begun is None or begun > last + _LEEWAY or segment.stat().st_mtime < first - _LEEWAY:
            continue
        yield from _lines(segment)


def _begun(segment: Path) -> float | None:
    try:
        moment = datetime.datetime.strptime(segment.name[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return None
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def _lines(segment: Path) -> Iterator[dict[str, Any]]:
    """The segment's complete lines. The newest one, and the last before a crash, end early."""
    with subprocess.Popen(
        ["zstd", "--decompress", "--stdout", "--quiet", "--", str(segment)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            try:
                yield json.loads(line)
            except ValueError:
                return
