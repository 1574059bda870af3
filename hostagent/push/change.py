"""Switches releases: everything between a release on disk and a healthy host.

Whatever interrupts this, the live files are those of one release, and the note of pending
steps lets the next run finish or roll back.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hostagent import contract
from hostagent.contract import POLICY
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.push import health, pending
from hostagent.push.pending import Pending
from hostagent.push.validate import KUMOD_UNIT, Staged, validate
from hostagent.release import links
from hostagent.release.effects import Difference, difference
from hostagent.release.model import NOTHING, Manifest
from hostagent.release.store import Store
from hostagent.system import packages, volumes
from hostagent.system.packages import Upgrade
from hostagent.system.units import Units

_KUMOMTA_FILES = f"{contract.KUMOMTA}/"


@dataclass(frozen=True)
class Outcome:
    """The result of a switch."""

    changed: tuple[str, ...]
    effects: tuple[str, ...]
    backed_up: tuple[str, ...] = ()
    bad_before: tuple[str, ...] = ()
    bad_still: tuple[str, ...] = ()


def make_live(
    host: Host,
    store: Store,
    new: Manifest,
    upgrade: Upgrade | None = None,
    *,
    patience: float = health.LIMIT,
) -> Outcome:
    """Validate a staged release and switch to it; if the host is not healthy, nothing changes."""
    old = store.manifest(store.current_id())
    units = Units(host)
    using = units.running_from(old.units, _KUMOMTA_FILES) if upgrade else ()
    found = difference(old, new, extra=[f"restart {unit}" for unit in using])
    note = Pending(
        origin=old.id,
        target=new.id,
        effects=found.effects,
        backed_up=links.foreign(host.layout, new),
        backup=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{new.id}",
        before=health.state(host, old),
    )
    tell_bad(host, "before this push", note.before.values())
    try:
        pending.write(host.layout, note)
        host.done("pending")
        stop = _validated(host, old, new, found, upgrade)
        note = replace(
            note,
            stopped=tuple(dict.fromkeys([*using, *stop])),
            package=upgrade.origin if upgrade else "",
        )
        _make_way(host, old, note, upgrade)
        store.switch(new.id)
    except Exception:
        _give_up_quietly(host, store, note)
        raise
    host.done("switched")
    since = health.moment()
    try:
        activate(host, store, note)
        still = health.wait(
            host, new, since=since, before=note.before, told=note.effects, limit=patience
        )
    except Exception as error:  # whatever happens, the host must not be left in between
        raise _rolled_back(host, store, note, error) from error
    host.done("healthy")
    finish(host, store, note)
    tell_bad(host, "as before", still)
    return Outcome(found.changed, found.effects, note.backed_up, tuple(note.before.values()), still)


def tell_bad(host: Host, when: str, reasons: Iterable[str]) -> None:
    """What the push did not break is reported, and rolls nothing back."""
    for why in dict.fromkeys(reasons):
        host.report.warn(f"bad {when}: {why}")


def _validated(
    host: Host, old: Manifest, new: Manifest, found: Difference, upgrade: Upgrade | None
) -> tuple[str, ...]:
    """Validate the release; returns the units that must stop before it is live."""
    missing = volumes.unmounted(host, new.mounts)
    if missing:
        raise AgentError(
            f"nothing is mounted at {', '.join(missing)}", "find out why on the host; push again"
        )
    links.place_missing(host.layout, new)
    host.done("linked")
    stop_first = validate(Staged(host, old, new, found, upgrade.tree if upgrade else None))
    host.done("validated")
    if not stop_first:
        return ()
    host.report.say("the new policy does not load with the old environment: kumod stops first")
    return (KUMOD_UNIT,)


def _make_way(host: Host, old: Manifest, note: Pending, upgrade: Upgrade | None) -> None:
    """The last steps before the switch; mail still flows unless units must stop for it."""
    if note.stopped or note.package:
        pending.write(host.layout, note)
    links.adopt(host.layout, note.backed_up, old, backup=note.backup)
    host.done("adopted")
    Units(host).stop(note.stopped)
    if note.stopped:
        host.done("stopped")
    if upgrade:
        packages.change_kumomta(host, upgrade.target)
        host.done("installed")


def activate(host: Host, store: Store, note: Pending) -> None:
    """Make the host follow the live release. May be repeated."""
    target, origin = store.manifest(note.target), store.manifest(note.origin)
    units = Units(host)
    others = [store.manifest(item) for item in store.kept() if item != target.id]
    if note.back:
        links.bring_back(host.layout, target, note.backed_up, backup=note.backup)
    links.settle(host.layout, target, others, backup=note.backup)
    if note.back and note.package:
        packages.change_kumomta(host, note.package)
    host.done("settled")
    found = difference(origin, target)
    units.retire(found.gone_units, origin, target)
    units.enable(target)
    if found.daemon_reload:
        units.reload_manager()
    for effect in note.effects:
        _tell(host, effect, note)
        host.done(effect)
    if any(path.startswith(POLICY) for path in found.changed):
        health.take_up_policy(target)
    for unit, state in units.states(target.units).items():
        if state != "active":
            _tell(host, f"start {unit}", note)
    host.done("started")


def _tell(host: Host, effect: str, note: Pending) -> None:
    """A unit that was bad before may fail again: the push may be meant to fix another one."""
    try:
        Units(host).apply(effect)
    except AgentError as error:
        if effect.split(" ")[1] not in note.before:
            raise
        host.report.warn(f"bad as before: {error.what}")


def finish(host: Host, store: Store, note: Pending) -> None:
    """The host is healthy: clear the pending note and prune old releases."""
    if note.target != NOTHING:
        store.remember(note.target)
    pending.clear(host.layout)
    host.commands.run(["rm", "-rf", str(host.layout.kumomta / "next")], limit=60)
    store.prune(spare=note.origin if note.back else "")
    host.done("finished")


def _give_up_quietly(host: Host, store: Store, note: Pending) -> None:
    """Like `give_up`, without hiding the error: the next run undoes what cannot be undone now."""
    try:
        give_up(host, store, note)
    except Exception as error:
        host.report.warn(f"not everything could be undone, the next push does it: {error}")


def give_up(host: Host, store: Store, note: Pending) -> None:
    """Nothing was switched: remove what was prepared for it."""
    live = store.manifest(store.current_id())
    others = [store.manifest(item) for item in store.kept() if item != live.id]
    links.bring_back(host.layout, live, note.backed_up, backup=note.backup)
    links.drop_stale(host.layout, live, others)
    if pending.read(host.layout) is None:
        return
    if note.package:
        packages.change_kumomta(host, note.package)
    for unit in note.stopped:
        Units(host).apply(f"start {unit}")
    pending.clear(host.layout)


def go_back(host: Host, store: Store, note: Pending) -> str:
    """Switch back; returns the state of the host in a few words."""
    origin, target = store.manifest(note.origin), store.manifest(note.target)
    # Units that the switch changed are changed again: not everything is in a file.
    extra = [effect for effect in note.effects if effect.split(" ")[1] in origin.units]
    back = note.reverse(difference(target, origin, extra=extra).effects)
    host.report.say(f"rolling back to release {origin.id}")
    pending.write(host.layout, back)
    links.place_missing(host.layout, origin)
    store.switch(origin.id)
    host.done("switched back")
    since = health.moment()
    activate(host, store, back)
    try:
        still = health.wait(host, origin, since=since, before=note.before, told=back.effects)
    except AgentError as error:
        pending.clear(host.layout)
        return f"which is not healthy either ({error.what})"
    finish(host, store, back)
    return f"which is as before ({'; '.join(still)})" if still else "which is healthy"


def _rolled_back(host: Host, store: Store, note: Pending, error: Exception) -> AgentError:
    if isinstance(error, AgentError):
        what, fix = error.what, error.fix
    else:
        what, fix = f"{type(error).__name__}: {error}", "check the host's disk, then push again"
    host.report.say(f"release {note.target} fails: {what}")
    try:
        state = go_back(host, store, note)
    except Exception as second:
        return AgentError(
            f"release {note.target} failed ({what}) and rolling back to {note.origin} failed too "
            f"({second})",
            "push again, or run `ping8-agent finish` on the host: both continue from here",
        )
    if note.origin == NOTHING:
        return AgentError(f"release {note.target} was removed: {what}", fix)
    return AgentError(
        f"release {note.target} was rolled back to {note.origin}, {state}: {what}", fix
    )
