"""One change of a host at a time."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator

from hostagent.errors import AgentError
from hostagent.host import Host


class HeldError(AgentError):
    """Somebody else is changing this host now."""


@contextlib.contextmanager
def locked(host: Host, verb: str, *, wait: float) -> Iterator[None]:
    """Hold the host's lock; after `wait` seconds, report who has it instead."""
    host.layout.base.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(host.layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(host, descriptor, wait)
        text = json.dumps({"pid": os.getpid(), "verb": verb, "since": int(time.time())})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        host.commands.keep_open = (descriptor,)
        yield
    finally:
        host.commands.keep_open = ()
        os.close(descriptor)


def held(host: Host) -> bool:
    """Whether somebody is changing this host now."""
    try:
        descriptor = os.open(host.layout.lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _take(host: Host, descriptor: int, wait: float) -> None:
    deadline = host.now() + wait
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if host.now() >= deadline:
                raise HeldError(
                    f"another change is running on this host: {_holder(descriptor)}",
                    "wait until it has ended, then push again",
                ) from None
        else:
            return
        if not told:
            host.report.say(f"waiting for another change to end: {_holder(descriptor)}")
            told = True
        host.pause(0.5)


def _holder(descriptor: int) -> str:
    try:
        data = json.loads(os.pread(descriptor, 4096, 0))
        since = time.strftime("%H:%M:%S UTC", time.gmtime(data["since"]))
        return f"`{data['verb']}`, process {data['pid']}, since {since}"
    except (ValueError, KeyError, TypeError):
        return "holder not known"
