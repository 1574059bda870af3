"""A host's headroom in disks, spool and memory, and its clock."""

from collections.abc import Iterable

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.registry import check
from ops.doctor.subjects import HOSTS, MTA
from ops.stack import HostAccess
from policy.contract import KUMOD_REFUSES_BELOW, LOGS, SPOOL

_GIB = 2**30
_FILE_SYSTEM_TAKES = 0.1
"""Share of a volume that its file system may need for itself."""


@check("host.disk", HOSTS)
def disks(access: HostAccess, case: Case) -> Iterable[Finding]:
    """Space and inodes of each volume against the alarms' thresholds."""
    status = case.status(access)
    space, inodes = status.each("disk_free_percent"), status.each("inodes_free_percent")
    findings = [
        _disk(access, volume, space[volume], inodes.get(volume, 100.0), case)
        for volume in sorted(space)
    ]
    return findings or [unknown(status.why_missing)]


def _disk(access: HostAccess, volume: str, space: float, inodes: float, case: Case) -> Finding:
    alarms = case.settings.alarms
    saw = f"{space:.0f} % of space and {inodes:.0f} % of inodes free"
    fix = fixes.on_host(access, f"sudo du -xh -d2 {_PLACES.get(volume, '/')} | sort -h | tail")
    if volume in _SIZES:
        fix += f"; for more room raise {_SIZES[volume]}, then {fixes.up(case.deployment)}"
    free = min(space, inodes)
    if free < alarms.disk_free_critical:
        expected = f"{alarms.disk_free_critical} % or more"
        return failed(saw, expected=expected, fix=fix, part=volume)
    if free < alarms.disk_free_warning:
        expected = f"{alarms.disk_free_warning} % or more"
        return warned(saw, expected=expected, fix=fix, part=volume)
    return passed(saw, part=volume)


_PLACES = {"spool": SPOOL, "logs": LOGS}
_SIZES = {"spool": "mta.spoolGib", "logs": "mta.logGib"}


@check("host.backlog-room", MTA)
def backlog_room(access: HostAccess, case: Case) -> Finding:
    """The spool has its configured size, and room for the backlog above kumod's limit."""
    status = case.status(access)
    free = status.metric("disk_free_bytes", "spool")
    total = status.metric("disk_total_bytes", "spool")
    if free is None or total is None:
        return unknown(status.why_missing)
    host = case.settings.mta
    volume = host.spool_gib * _GIB
    if total < volume * (1 - _FILE_SYSTEM_TAKES):
        return warned(
            f"the spool's file system has {total / _GIB:.0f} GiB",
            expected=f"{host.spool_gib} GiB (mta.spoolGib)",
            fix=f"{fixes.push(case.deployment)} grows it to the size of its volume",
        )
    room = max(0.0, free - total * KUMOD_REFUSES_BELOW / 100)
    need = host.expected_backlog * host.expected_message_kib * 1024
    saw = f"{room / _GIB:.1f} GiB usable, {need / _GIB:.1f} GiB needed for the expected backlog"
    if room < need:
        return warned(
            saw,
            expected=f"room for {host.expected_backlog} messages "
            f"of {host.expected_message_kib} KiB",
            fix="raise mta.spoolGib or lower mta.expectedBacklog, "
            f"then {fixes.up(case.deployment)}",
        )
    return passed(saw)


@check("host.memory", HOSTS)
def memory(access: HostAccess, case: Case) -> Finding:
    """Memory in use: of kumod's limit on the MTA, of the machine elsewhere."""
    status = case.status(access)
    used, limit = status.metric("memory_used_percent"), case.settings.alarms.memory_used
    if used is None:
        return unknown(status.why_missing)
    saw = f"{used:.0f} % used"
    if used > limit:
        kind = "mta.instanceType" if access.role == "mta" else "instanceType of the proxy"
        return warned(
            saw,
            expected=f"{limit} % or less",
            fix=f"to see what uses it: {fixes.on_host(access, 'ps aux --sort=-rss | head')}; "
            f"if it is needed, set a larger {kind}, then {fixes.up(case.deployment)}",
        )
    return passed(saw)


@check("host.clock", HOSTS)
def clock(access: HostAccess, case: Case) -> Finding:
    """Offset of the clock, as the host's time synchronisation reports it."""
    status = case.status(access)
    offset, limit = status.metric("clock_offset_seconds"), case.settings.alarms.clock_offset
    fix = fixes.on_host(access, "chronyc tracking; chronyc sources; sudo chronyc makestep")
    if offset is None:
        return unknown(status.why_missing, fix=fix)
    saw = f"{offset:+.3f} s off"
    if abs(offset) > limit:
        return failed(saw, expected=f"within {limit} s", fix=fix)
    return passed(saw)
