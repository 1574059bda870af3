"""Finishes an interrupted run, at boot or before the next push."""

import time

from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.push import change, health, lock, pending
from hostagent.push.pending import Pending
from hostagent.release.masking import mask
from hostagent.release.store import Store


def recover(host: Host, store: Store) -> str:
    """Bring the host to exactly one release; returns what was done, or ''."""
    store.clean()
    note = pending.read(host.layout)
    if note is None:
        return ""
    mask(host, store, note.origin, note.target)
    live = store.current_id()
    if live != note.target:
        host.report.say(f"release {note.target} was not switched to: it is removed")
        change.give_up(host, store, note)
        return f"release {note.target} was never live; {live} is"
    host.report.say(f"finishing the interrupted switch to release {note.target}")
    return _finish(host, store, note)


def _finish(host: Host, store: Store, note: Pending) -> str:
    since = health.moment()
    try:
        change.activate(host, store, note)
        still = health.wait(
            host,
            store.manifest(note.target),
            since=since,
            before=note.before,
            told=note.effects,
        )
    except AgentError as error:
        if note.back:
            pending.clear(host.layout)
            raise AgentError(
                f"release {note.target}, after a rollback to it, is not healthy: {error.what}",
                error.fix,
            ) from error
        state = change.go_back(host, store, note)
        return f"release {note.target} failed ({error.what}); back at {note.origin}, {state}"
    change.finish(host, store, note)
    change.tell_bad(host, "as before", still)
    return f"the switch to release {note.target} is complete"


def finish(host: Host) -> dict[str, object]:
    """The verb of the boot unit. Whoever holds the lock finishes by itself."""
    store = Store(host.layout)
    if not host.layout.current.is_symlink():
        return {"done": "", "release": None}
    try:
        with lock.locked(host, "finish", wait=0):
            done = recover(host, store)
            store.forget(time.time())
    except lock.HeldError as error:
        host.report.say(error.what)
        return {"done": "", "release": store.current_id()}
    return {"done": done, "release": store.current_id(), "timings": host.report.timings}
