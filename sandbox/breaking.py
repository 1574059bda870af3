"""Faults to learn from: one is planted, looked at with the operators' commands, and fixed."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ops.stack import HostAccess
from sandbox import dns
from sandbox.failures import SandboxError
from sandbox.layout import Layout
from sandbox.machine import ROUTE_53, containers
from sandbox.network import Cloud
from sandbox.run import Sandbox
from sandbox.world.webhook import Behaviour, Mode, behave
from standins.pulumi.hosts import Record

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
    containers(sandbox.layout).execute(host.instance_id, *command)


def _proxies(verb: str) -> Callable[[Sandbox], None]:
    def run(sandbox: Sandbox) -> None:
        for host in sandbox.deployment.hosts.values():
            if host.role == "proxy":
                _on(sandbox, host, "systemctl", verb, "kumoproxy")

    return run


def _webhook(behaviour: Behaviour) -> Callable[[Sandbox], None]:
    return lambda sandbox: behave(sandbox.layout.world, behaviour)


def _signing_key(sandbox: Sandbox) -> str:
    """Name of the record of the key that signs for the first domain."""
    domain = sandbox.deployment.settings.domains[0]
    return f"{domain.active_selector}._domainkey.{domain.name}"


def _remove_key(sandbox: Sandbox) -> None:
    authority, name = _authority(sandbox.layout), _signing_key(sandbox)
    before = authority.published(ROUTE_53)
    removed = {z.name: r for z in before for r in z.records if r.name.rstrip(".") == name}
    if removed:
        kept = {zone: asdict(record) for zone, record in removed.items()}
        _kept(sandbox.layout).write_text(json.dumps(kept))
        without = [
            replace(z, records=tuple(r for r in z.records if r not in removed.values()))
            for z in before
        ]
        authority.publish(ROUTE_53, without)


def _restore_key(sandbox: Sandbox) -> None:
    kept = _kept(sandbox.layout)
    if not kept.exists():
        return
    authority, name = _authority(sandbox.layout), _signing_key(sandbox)
    before = authority.published(ROUTE_53)
    # A deployment since then has published it already.
    if not any(r.name.rstrip(".") == name for z in before for r in z.records):
        records = {
            zone: Record(**{**record, "values": tuple(record["values"])})
            for zone, record in json.loads(kept.read_text()).items()
        }
        whole = [
            replace(z, records=(*z.records, records[z.name])) if z.name in records else z
            for z in before
        ]
        authority.publish(ROUTE_53, whole)
    kept.unlink()


def _kept(layout: Layout) -> Path:
    return layout.state / "removed-records.json"


def _authority(layout: Layout) -> dns.Authority:
    return dns.Authority(folder=layout.dns, cloud=Cloud())


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


def fault(name: str) -> Fault:
    """A fault by name; a `SandboxError` names the ones there are."""
    if name not in FAULTS:
        raise SandboxError(f"fault {name!r}: say {', '.join(FAULTS)}")
    return FAULTS[name]


def fix_all(sandbox: Sandbox) -> None:
    """Undoes whatever is planted; what is not costs nothing."""
    for one in FAULTS.values():
        one.undo(sandbox)
