"""Verb `life`: kumod's unit reports its start and its end, so that every unclean stop is noticed.

A killed kumod, one that did not stop in time, a power cut and a lost instance all leave the marker
that a start creates on the spool's volume; only a clean stop removes it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hostagent import contract, durable

PATH = Path(contract.LIFE)


@dataclass
class Life:
    """Times are Unix time; 0 is never. `reconcile` requests a search for lost events."""

    running: float = 0.0
    unclean: int = 0
    last_unclean: float = 0.0
    reconcile: bool = False


def read(path: Path = PATH) -> Life:
    """The stored state; empty if the file is missing or broken."""
    try:
        return Life(**durable.read_json(path))
    except (OSError, TypeError):
        return Life()


def write(life: Life, path: Path = PATH) -> None:
    """Written durably, readable by everybody."""
    durable.write_bytes(path, json.dumps(asdict(life)).encode(), mode=0o644)


def started(path: Path, now: float) -> Life:
    """If the marker is still there, the last stop was unclean."""
    life = read(path)
    if life.running:
        life = Life(now, life.unclean + 1, now, reconcile=True)
    else:
        life.running = now
    write(life, path)
    return life


def stopped(path: Path, environment: Mapping[str, str]) -> Life:
    """systemd reports the result in SERVICE_RESULT."""
    life = read(path)
    if environment.get("SERVICE_RESULT") == "success":
        life.running = 0.0
        write(life, path)
    return life


def main(arguments: Sequence[str], path: Path = PATH, now: Callable[[], float] = time.time) -> int:
    """`started` or `stopped`."""
    if list(arguments) == ["started"]:
        if started(path, now()).reconcile:
            print("ping8: kumod's last stop was unclean; events reconcile follows", file=sys.stderr)
        return 0
    if list(arguments) == ["stopped"]:
        stopped(path, os.environ)
        return 0
    print("ping8: say `started` or `stopped`", file=sys.stderr)
    return 1
