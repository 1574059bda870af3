"""Faults to practise with: plant one, find it with the operators' commands, and fix it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from ops.stack import Deployment, HostAccess
from policy import record_names
from sandbox.files import replace as write
from sandbox.layout import Layout
from sandbox.machine import ROUTE_53
from sandbox.parts import Parts
from sandbox.process import SandboxError
from sandbox.world.webhook import Behaviour, Mode, behave
from standins.pulumi.hosts import Record, Zone

_RECORDS = TypeAdapter(dict[str, Record])

SPOOL = "/var/spool/kumomta"
_FILL = f"{SPOOL}/.sandbox-fill"
_FILL_UP = f"""
[ -e {_FILL} ] && exit 0
set -- $(stat --file-system --format '%S %b %a' {SPOOL})
fallocate --length $(($1 * ($3 - $2 * 5 / 100))) {_FILL}
"""
"""Fills the volume until 5 % is free; kumod accepts no mail below 10 %."""


Change = Callable[[Parts, Deployment], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is done to the sandbox, what undoes it, and where an operator sees it."""

    what: str
    plant: Change
    undo: Change
    look: tuple[str, ...]


def _on(parts: Parts, host: HostAccess, *command: str) -> None:
    parts.hosts.execute(host.instance_id, *command)


def _proxies(verb: str) -> Change:
    def run(parts: Parts, deployment: Deployment) -> None:
        for host in deployment.hosts.values():
            if host.role == "proxy":
                _on(parts, host, "systemctl", verb, "kumoproxy")

    return run


def _webhook(behaviour: Behaviour) -> Change:
    return lambda parts, _deployment: behave(parts.layout.world, behaviour)


def _is_signing_key(deployment: Deployment, record: Record) -> bool:
    """Whether it is the record of the key that signs for the first domain."""
    settings = deployment.settings
    domain = settings.domains[0]
    selector = settings.dkim_of(domain).active_selector
    return record.name.rstrip(".") == record_names.dkim(selector, domain.name)


def _remove_key(parts: Parts, deployment: Deployment) -> None:
    kept: list[Zone] = []
    gone: dict[str, Record] = {}
    for zone in parts.zones:
        keys = [one for one in zone.records if _is_signing_key(deployment, one)]
        gone.update((zone.name, key) for key in keys)
        kept.append(replace(zone, records=tuple(r for r in zone.records if r not in keys)))
    if gone:
        write(_removed(parts), _RECORDS.dump_json(gone))
        parts.names.publish(ROUTE_53, kept)


def _restore_key(parts: Parts, deployment: Deployment) -> None:
    file = _removed(parts)
    if not file.exists():
        return
    gone = _RECORDS.validate_json(file.read_bytes())
    # A deployment since then may have published it already.
    if not any(_is_signing_key(deployment, one) for zone in parts.zones for one in zone.records):
        whole = [
            replace(z, records=(*z.records, gone[z.name])) if z.name in gone else z
            for z in parts.zones
        ]
        parts.names.publish(ROUTE_53, whole)
    file.unlink()


def _removed(parts: Parts) -> Path:
    return parts.layout.state / "removed-records.json"


FAULTS = {
    "proxy": Fault(
        what="KumoProxy is stopped: mail stays queued on the MTA host",
        plant=_proxies("stop"),
        undo=_proxies("start"),
        look=("ping8 status", "ping8 doctor --only egress", "ping8 queue list"),
    ),
    "webhook": Fault(
        what="PING8 answers each event with 503: events stay queued, mail is still delivered",
        plant=_webhook(Behaviour(mode=Mode.STATUS, status=503)),
        undo=_webhook(Behaviour()),
        look=("ping8 send ...", "ping8 status", "ping8 doctor --test-event"),
    ),
    "dns": Fault(
        what="the DKIM record of the first domain is gone: its signatures cannot be verified",
        plant=_remove_key,
        undo=_restore_key,
        look=("ping8 doctor --only domains",),
    ),
    "disk": Fault(
        what="the spool volume is full: kumod accepts no mail until there is room",
        plant=lambda parts, deployment: _on(parts, deployment.mta, "sh", "-euc", _FILL_UP),
        undo=lambda parts, deployment: _on(parts, deployment.mta, "rm", "-f", _FILL),
        look=("ping8 status", "ping8 doctor --only host.disk"),
    ),
}


def _marks(layout: Layout) -> Path:
    return layout.state / "planted"


def planted(layout: Layout) -> list[str]:
    """Faults that are planted and not undone."""
    return sorted(path.name for path in _marks(layout).glob("*"))


def plant(name: str, parts: Parts, deployment: Deployment) -> Fault:
    """Plants a fault; for an unknown one a `SandboxError` lists the known ones."""
    if name not in FAULTS:
        raise SandboxError(f"fault {name!r}: not known; there are: {', '.join(FAULTS)}")
    _marks(parts.layout).mkdir(exist_ok=True)
    (_marks(parts.layout) / name).touch()
    FAULTS[name].plant(parts, deployment)
    return FAULTS[name]


def fix(name: str, parts: Parts, deployment: Deployment) -> None:
    """Undoes a fault; does nothing if it is not planted."""
    if name not in FAULTS:
        raise SandboxError(f"fault {name!r}: not known; there are: {', '.join(FAULTS)}")
    FAULTS[name].undo(parts, deployment)
    (_marks(parts.layout) / name).unlink(missing_ok=True)


def fix_all(parts: Parts, deployment: Deployment) -> None:
    """Undoes every planted fault."""
    for name in FAULTS:
        fix(name, parts, deployment)
