"""kumod's local logs, by time."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hostagent import contract
from hostagent.events.segments import PATTERN, Segment

LOGS = Path(contract.LOGS)
# A record has the time of its event and is written to the segment that is open then.
_LEEWAY = 600


def records(
    directory: Path, first: int, last: int, *, newest_first: bool = False, containing: bytes = b""
) -> Iterator[dict[str, Any]]:
    """Records of the segments that may hold events from `first` to `last` (Unix time).

    Of a segment that is open, truncated or damaged, the readable ones. Lines without `containing`
    are skipped, which is much faster than parsing their JSON.
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
