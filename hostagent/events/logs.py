"""kumod's local logs, by time."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hostagent import contract
from hostagent.events.segments import PATTERN, Segment

LOGS = Path(contract.LOGS)
# A record is dated when the event happened and lands in whichever segment is then open.
_LEEWAY = 600


def records(
    directory: Path, first: int, last: int, *, newest_first: bool = False, containing: bytes = b""
) -> Iterator[dict[str, Any]]:
    """Records of the segments that may hold events from `first` to `last` (Unix time).

    Of a segment that is written, torn or damaged those that can be read. Lines without `containing`
    are passed over, which is much quicker than to read their JSON.
    """
    for path in sorted(directory.glob(PATTERN), reverse=newest_first):
        begun = _begun(path)
        if begun is None or begun > last + _LEEWAY or path.stat().st_mtime < first - _LEEWAY:
            continue
        for line in Segment(path).lines():
            if containing not in line:
                continue
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def _begun(segment: Path) -> float | None:
    try:
        moment = datetime.datetime.strptime(segment.name[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return None
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()
