"""The verb `rollback`: makes a kept release live again, with the same steps as a push."""

import re
from typing import Any

from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.push import change, lock, recover
from hostagent.release.masking import mask
from hostagent.release.model import Manifest
from hostagent.release.store import Store
from hostagent.system import packages

_WAIT = 120.0
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=.*")
_PLAIN = re.compile(r"\w+_(?:HOST|PORT|IP|HELO|URL|LISTEN|USERNAME)")
"""Variables that hold no secret."""


def rollback(
    host: Host, release_id: str | None, *, old_credentials: bool = False
) -> dict[str, Any]:
    """Roll back to a given release or the previous one; with other secrets only if allowed."""
    store = Store(host.layout)
    with lock.locked(host, "rollback", wait=_WAIT):
        store.open()
        recovered = recover.recover(host, store)
        live = store.current_id()
        mask(host, store, live)
        manifest = store.manifest(_target(store, release_id))
        if manifest.id == live:
            raise AgentError(
                f"release {live} is already live", f"kept are: {', '.join(store.kept())}"
            )
        mask(host, store, manifest.id)
        if not old_credentials:
            _same_secrets(host, store.manifest(live), manifest)
        damaged = store.damaged(manifest)
        if damaged:
            raise AgentError(
                f"release {manifest.id} is damaged: {damaged[0][0].path} ({damaged[0][1]})",
                f"choose another; kept are: {', '.join(store.kept())}",
            )
        host.report.say(f"switching from release {live} to {manifest.id}")
        upgrade = packages.ensure(host, manifest)
        outcome = change.make_live(host, store, manifest, upgrade)
    return {
        "release": manifest.id,
        "previous": live,
        "recovered": recovered,
        "changed": list(outcome.changed),
        "restarted": list(outcome.effects),
        "bad_before": list(outcome.bad_before),
        "bad_still": list(outcome.bad_still),
        "timings": host.report.timings,
    }


def _same_secrets(host: Host, live: Manifest, target: Manifest) -> None:
    """A token or key may have been replaced since because it leaked."""
    before, now = target.by_path, live.by_path
    other = [
        path
        for path, file in before.items()
        if file.secret
        and (path not in now or now[path].sha256 != file.sha256)
        and not _secrets_in(host, target, path) <= _secrets_in(host, live, path)
    ]
    if other:
        raise AgentError(
            f"release {target.id} has other credentials than the live one: {', '.join(other[:6])}",
            "its revoked tokens and keys would be valid again: if none was revoked, use "
            "--old-credentials",
        )


def _secrets_in(host: Host, release: Manifest, path: str) -> set[str]:
    """Of an environment file the secret lines; any other secret file is one secret."""
    stored = host.layout.stored(release.id, path)
    text = stored.read_text("utf-8", "replace") if stored.is_file() else f"not in {release.id}"
    assigned = [_ASSIGNMENT.fullmatch(line) for line in text.splitlines()]
    if not all(assigned):
        return {text}
    return {line[0] for line in assigned if line and not _PLAIN.fullmatch(line[1])}


def _target(store: Store, asked: str | None) -> str:
    target = asked or store.previous_id()
    if target is None:
        raise AgentError("this host has no earlier release", "push the settings that you want")
    matching = [item for item in store.kept() if item.startswith(target)]
    if len(matching) > 1:
        raise AgentError(f"{target} is the beginning of several releases", ", ".join(matching))
    return matching[0] if matching else target
