"""Pushes the live release again: drifted files are backed up and restored."""

import os
import time
from typing import Any

from hostagent import contract
from hostagent.host import Host
from hostagent.push import change, drift, health, pending, prepare
from hostagent.push.drift import Difference
from hostagent.push.pending import Pending
from hostagent.release import links
from hostagent.release.effects import UNIT_FILES, ordered
from hostagent.release.model import Bundle
from hostagent.release.store import Store
from hostagent.system import packages
from hostagent.system.units import Units


def repair(host: Host, store: Store, bundle: Bundle) -> dict[str, Any]:
    """Make the host match its live release; units of repaired files are reloaded or restarted."""
    manifest = bundle.manifest
    prepare.wait_for_boot(host)
    upgrade = prepare.prepare(host, bundle)
    files, astray, added = (
        list(look(host, store, manifest))
        for look in (drift.look_at_files, drift.look_at_links, drift.look_at_additions)
    )
    wrong = sorted({each.what for each in (*files, *astray)})
    told = [
        effect for file in manifest.files if _covers(file.path, wrong) for effect in file.effects
    ]
    backup = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-drift"
    units = Units(host)
    using = units.running_from(manifest.units, f"{contract.KUMOMTA}/") if upgrade else ()
    told += [f"restart {unit}" for unit in using]
    # Only what the host needs from others: repairs are meant for its own units.
    bad = {
        name: why
        for name, why in health.state(host, manifest).items()
        if name not in manifest.units
    }
    change.tell_bad(host, "before this push", bad.values())
    note = Pending(
        origin=manifest.id,
        target=manifest.id,
        effects=ordered(told, manifest.units),
        backup=backup,
        back=True,
        before=bad,
    )
    pending.write(host.layout, note)
    host.done("pending")
    _put_right(host, store, bundle, [*files, *added], backup)
    foreign = [each for each in astray if each.kind == "link"]
    for each in foreign:
        host.report.say(f"repairing {each.what}: {each.found}")
    host.done("restored")
    since = health.moment()
    if any(path.startswith(UNIT_FILES) for path in wrong):
        links.settle(host.layout, manifest, [], backup=backup)
        units.reload_manager()
    if upgrade:
        packages.change_kumomta(host, upgrade.target)
    change.activate(host, store, note)
    still = health.wait(
        host, manifest, since=since, before=bad, told=note.effects, limit=bundle.patience
    )
    change.tell_bad(host, "as before", still)
    change.finish(host, store, note)
    return {
        "changed": [],
        "restarted": list(note.effects),
        "repaired": sorted({*wrong, *(each.what for each in added)}),
        "backed_up": [each.what for each in foreign],
        "bad_before": list(bad.values()),
        "bad_still": list(still),
    }


def _put_right(
    host: Host, store: Store, bundle: Bundle, wrong: list[Difference], backup: str
) -> None:
    """Restore files of the live release; what was there is backed up."""
    manifest = bundle.manifest
    for each in wrong:
        stored = host.layout.stored(manifest.id, each.what)
        if os.path.lexists(stored):
            links.keep(stored, host.layout.backup / backup / "stored" / each.what.lstrip("/"))
        file = manifest.by_path.get(each.what)
        if file is None:
            host.report.say(f"removing {each.what}: it is {each.found}")
            stored.unlink()
        else:
            host.report.say(f"repairing {each.what}: {each.found}")
            store.restore(file, manifest.id, bundle.contents[each.what])


def _covers(path: str, wrong: list[str]) -> bool:
    return any(path == item or path.startswith(f"{item}/") for item in wrong)
