"""The journal of operators' changes to queues and suspensions, for `ping8 queue list`."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

CHANGES = Path("/var/log/ping8/queue-changes.jsonl")


def note(changes: Path, what: str, how: dict[str, Any], options: argparse.Namespace) -> None:
    """Write a change down, with its reason and who asked for it."""
    changes.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    row = {"at": int(time.time()), "what": what, "reason": options.reason, "by": options.by, **how}
    with changes.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def last_changes(changes: Path) -> list[dict[str, Any]]:
    """The last twenty, oldest first."""
    try:
        lines = changes.read_text("utf-8").splitlines()[-20:]
    except OSError:
        return []
    return [json.loads(line) for line in lines]
