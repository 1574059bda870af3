"""The marks of a draining node: files, so that a restart and a push keep them.

Nginx asks only whether they exist: one makes the balancer's health check fail and ends
connections, the other refuses injections.
"""

import time
from dataclasses import asdict, dataclass

from hostagent import durable
from hostagent.contract import DRAINING, REFUSING
from hostagent.layout import Layout


@dataclass(frozen=True)
class Mark:
    """Who drains the node, and since when (Unix time)."""

    since: int
    by: str
    reason: str
    refusing: bool = False


def read(layout: Layout) -> Mark | None:
    """The mark, if the node drains. A damaged file still makes it drain."""
    path = layout.live(DRAINING)
    if not path.exists():
        return None
    try:
        found = durable.read_json(path)
        since, by, reason = int(found["since"]), str(found["by"]), str(found["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        since, by, reason = int(path.stat().st_mtime), "somebody", ""
    return Mark(since, by, reason, layout.live(REFUSING).exists())


def begin(layout: Layout, by: str, reason: str) -> Mark:
    """Mark the node; a drain that has begun keeps its time."""
    found = read(layout)
    if found is None:
        found = Mark(int(time.time()), by, reason)
        fields = {name: value for name, value in asdict(found).items() if name != "refusing"}
        durable.write_json(layout.live(DRAINING), fields)
    return found


def refuse(layout: Layout) -> None:
    """Refuse injections from now on."""
    durable.write_bytes(layout.live(REFUSING), b"")


def end(layout: Layout) -> None:
    """The node takes injections again."""
    for name in (REFUSING, DRAINING):
        durable.discard(layout.live(name))
    durable.sync_directory(layout.live(DRAINING).parent)
