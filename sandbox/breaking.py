"""Faults to learn from: one is planted, looked at with the operators' commands, and fixed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from ops.stack import HostAccess
from policy import record_names
from sandbox.files import replace as write
from sandbox.layout import Layout
from sandbox.machine import ROUTE_53
from sandbox.process import SandboxError
from sandbox.run import Sandbox
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
"""Until 5 % of the volume are free; kumod takes no mail below 10 %."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is done to the sandbox, what undoes it, and where an operator sees it."""

    what: str
    plant: Callable[[Sandbox], None]
    undo: Callable[[Sandbox], None]
    look: tuple[str, ...]


def _on(sandbox: Sandbox, host: HostAccess, *command: str) -> None:
    sandbox.hosts.execute(host.instance_id, *command)


def _proxies(verb: str) -> Callable[[Sandbox], None]:
    def run(sandbox: Sandbox) -> None:
        for host in sandbox.deployment.hosts.values():
            if host.role == "proxy":
                _on(sandbox, host, "systemctl", verb, "kumoproxy")

    return run


def _webhook(behaviour: Behaviour) -> Callable[[Sandbox], None]:
    return lambda sandbox: behave(sandbox.layout.world, behaviour)


def _is_signing_key(sandbox: Sandbox, record: Record) -> bool:
    """Whether it is the record of the key that signs for the first domain."""
    settings = sandbox.deployment.settings
    domain = settings.domains[0]
    selector = settings.keys_of(domain)[1].active_selector
    return record.name.rstrip(".") == record_names.dkim(selector, domain.name)


def _remove_key(sandbox: Sandbox) -> None:
    kept: list[Zone] = []
    gone: dict[str, Record] = {}
    for zone in sandbox.zones:
        keys = [one for one in zone.records if _is_signing_key(sandbox, one)]
        gone.update((zone.name, key) for key in keys)
        kept.append(replace(zone, records=tuple(r for r in zone.records if r not in keys)))
    if gone:
        write(_removed(sandbox), _RECORDS.dump_json(gone))
        sandbox.parts.names.publish(ROUTE_53, kept)


def _restore_key(sandbox: Sandbox) -> None:
    file = _removed(sandbox)
    if not file.exists():
        return
    gone = _RECORDS.validate_json(file.read_bytes())
    # A deployment since then may have published it already.
    if not any(_is_signing_key(sandbox, one) for zone in sandbox.zones for one in zone.records):
        whole = [
            replace(z, records=(*z.records, gone[z.name])) if z.name in gone else z
            for z in sandbox.zones
        ]
        sandbox.parts.names.publish(ROUTE_53, whole)
    file.unlink()


def _removed(sandbox: Sandbox) -> Path:
    return sandbox.layout.state / "removed-records.json"


FAULTS = {
    "proxy": Fault(
        what="KumoProxy is stopped: mail waits on the MTA host",
        plant=_proxies("stop"),
        undo=_proxies("start"),
        look=("ping8 status", "ping8 doctor --only egress", "ping8 queue list"),
    ),
    "webhook": Fault(
        what="PING8 answers each event with 503: events wait, mail goes on",
        plant=_webhook(Behaviour(mode=Mode.STATUS, status=503)),
        undo=_webhook(Behaviour()),
        look=("ping8 send ...", "ping8 status", "ping8 doctor --test-event"),
    ),
    "dns": Fault(
        what="the DKIM record of the first domain is gone: its signatures prove nothing",
        plant=_remove_key,
        undo=_restore_key,
        look=("ping8 doctor --only domains",),
    ),
    "disk": Fault(
        what="the spool volume is full: kumod takes no mail until there is room",
        plant=lambda sandbox: _on(sandbox, sandbox.deployment.mta, "sh", "-euc", _FILL_UP),
        undo=lambda sandbox: _on(sandbox, sandbox.deployment.mta, "rm", "-f", _FILL),
        look=("ping8 status", "ping8 doctor --only host.disk"),
    ),
}


def _marks(layout: Layout) -> Path:
    return layout.state / "planted"


def planted(layout: Layout) -> list[str]:
    """Faults that are planted and not undone."""
    return sorted(path.name for path in _marks(layout).glob("*"))


def plant(name: str, sandbox: Sandbox) -> Fault:
    """Plants a fault; a `SandboxError` names the ones there are."""
    if name not in FAULTS:
        raise SandboxError(f"fault {name!r}: say {', '.join(FAULTS)}")
    _marks(sandbox.layout).mkdir(exist_ok=True)
    (_marks(sandbox.layout) / name).touch()
    FAULTS[name].plant(sandbox)
    return FAULTS[name]


def fix(name: str, sandbox: Sandbox) -> None:
    """Undoes a fault; one that is not planted costs nothing."""
    if name not in FAULTS:
        raise SandboxError(f"fault {name!r}: say {', '.join(FAULTS)}")
    FAULTS[name].undo(sandbox)
    (_marks(sandbox.layout) / name).unlink(missing_ok=True)


def fix_all(sandbox: Sandbox) -> None:
    """Undoes whatever is planted."""
    for name in FAULTS:
        fix(name, sandbox)
