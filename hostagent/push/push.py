"""The verb `push`: makes a release from standard input live."""

import sys
from typing import Any

from hostagent.host import Host
from hostagent.push import change, drift, lock, pending, prepare, recover, repair
from hostagent.release.masking import mask
from hostagent.release.model import Bundle, Manifest, parse_bundle
from hostagent.release.store import Store
from hostagent.system.volumes import grow


def run(host: Host) -> dict[str, Any]:
    """Read the bundle and push it."""
    return push(host, parse_bundle(sys.stdin.buffer.read()))


def push(host: Host, bundle: Bundle) -> dict[str, Any]:
    """Make the release live, or change nothing; returns the report."""
    secret = [file.path for file in bundle.manifest.files if file.secret]
    host.report.hide(bundle.contents[path] for path in secret)
    store = Store(host.layout)
    with lock.locked(host, "push", wait=bundle.wait):
        store.open()
        host.done("locked")
        recovered = recover.recover(host, store)
        host.done("recovered")
        live = store.manifest(store.current_id())
        prepare.identify(host, bundle, live)
        host.done("identified")
        report = _decide(host, store, bundle, live)
        report.update(release=bundle.manifest.id, previous=live.id, recovered=recovered)
    report.update(
        host=bundle.name,
        files=digests(bundle.manifest),
        timings=host.report.timings,
        warnings=host.report.warnings,
    )
    return report


def _decide(host: Host, store: Store, bundle: Bundle, live: Manifest) -> dict[str, Any]:
    manifest = bundle.manifest
    if live.raw == manifest.raw:
        if not bundle.always and drift.sound(host, store, live):
            grow(host, bundle)
            host.report.say(f"release {manifest.id} is already live: nothing to do")
            return {"changed": [], "restarted": [], "repaired": []}
        return repair.repair(host, store, bundle)
    mask(host, store, live.id)
    host.report.say(f"release {manifest.id} replaces {live.id}")
    prepare.wait_for_boot(host)
    upgrade = prepare.prepare(host, bundle)
    size = sum(len(content) for content in bundle.contents.values())
    store.check_space(size, len(manifest.files) * 2)
    store.stage(manifest, bundle.contents)
    host.done("staged")
    host.report.say(f"staged {len(manifest.files)} files, {size // 1024} KiB")
    try:
        outcome = change.make_live(host, store, manifest, upgrade, patience=bundle.patience)
    finally:
        if _left_over(host, store, manifest.id):
            store.remove(manifest.id)
    host.report.say(f"release {manifest.id} is live")
    return {
        "changed": list(outcome.changed),
        "restarted": list(outcome.effects),
        "repaired": [],
        "backed_up": list(outcome.backed_up),
        "bad_before": list(outcome.bad_before),
        "bad_still": list(outcome.bad_still),
        "kumomta": upgrade.target if upgrade else manifest.kumomta_version,
    }


def _left_over(host: Host, store: Store, release_id: str) -> bool:
    """Whether a release was never live and is not needed to finish or roll back."""
    return (
        store.current_id() != release_id
        and release_id not in store.history()
        and pending.read(host.layout) is None
    )


def digests(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of every file except secret ones, whose digest would help to guess them."""
    return {file.path: "secret" if file.secret else file.sha256 for file in manifest.files}
