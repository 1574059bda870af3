"""What this node still holds: from kumod's metrics, Nginx, and the folder of the outbox."""

import re
from pathlib import Path

from hostagent.contract import HEALTH_PATH, OUTBOX, TRANSFER_QUEUE
from hostagent.drain.plan import Counts
from hostagent.events.segments import PATTERN
from hostagent.metrics.kumod import (
    Metrics,
    by_label,
    events_ready,
    events_scheduled,
    is_mail,
    total,
)
from hostagent.queues import is_ours, parts
from hostagent.web import Deadline, WebError, get, get_json

_STARTS = (b"waiting for spool startup", b"shutting down")
_BUSY = re.compile(rb"Reading: (\d+) Writing: (\d+)")


def counts(kumod: str, nginx: str, deadline: Deadline, outbox: Path = Path(OUTBOX)) -> Counts:
    """Raises `WebError` if kumod does not answer."""
    starting = get(f"{kumod}/api/check-liveness/v1", deadline)[1].strip() in _STARTS
    return of_metrics(
        get_json(f"{kumod}/metrics.json", deadline),
        segments=sum(1 for _ in outbox.glob(PATTERN)),
        busy=_busy(nginx, deadline),
        starting=starting,
    )


def of_metrics(metrics: Metrics, *, segments: int, busy: int, starting: bool) -> Counts:
    """What kumod's metrics say, by kinds of queues."""
    scheduled = {
        name: int(count) for name, count in by_label(metrics, "scheduled_count", "queue").items()
    }
    services = by_label(metrics, "ready_count", "service")
    ready = {name: int(count) for name, count in services.items() if "->" in name and is_mail(name)}
    return Counts(
        queues={name: count for name, count in scheduled.items() if count and _is_moved(name)},
        sending=sum(count for name, count in ready.items() if TRANSFER_QUEUE not in name),
        transfers={
            name[: -len(TRANSFER_QUEUE)]: count
            for name, count in scheduled.items()
            if count and name.endswith(TRANSFER_QUEUE)
        },
        crossing=sum(count for name, count in ready.items() if TRANSFER_QUEUE in name),
        events=int(events_scheduled(metrics) + events_ready(metrics)),
        held=int(total(metrics, "message_count")),
        segments=segments,
        busy=busy,
        starting=starting,
    )


def _is_moved(name: str) -> bool:
    """Not a transfer queue, nor one of this node alone."""
    return not (name.endswith(TRANSFER_QUEUE) or is_ours(parts(name)[2]))


def healthy(nginx: str, deadline: Deadline) -> bool:
    """Whether a balancer would choose this node."""
    try:
        return get(f"{nginx}{HEALTH_PATH}", deadline)[0] == 200
    except WebError:
        return False


def _busy(nginx: str, deadline: Deadline) -> int:
    """Requests in flight, without this one; none if Nginx is down."""
    try:
        _, body = get(f"{nginx}/busy", deadline)
    except WebError:
        return 0
    found = _BUSY.search(body)
    return max(0, int(found[1]) + int(found[2]) - 1) if found else 0
