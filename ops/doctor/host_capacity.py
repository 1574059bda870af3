"""Headroom of a host: disks against the spool expected, memory; and its clock."""

from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.host_status import HostStatus
from ops.stack import Deployment, HostAccess
from policy.contract import KUMOD_REFUSES_BELOW, LOGS, SPOOL

_GIB = 2**30
_FILE_SYSTEM_TAKES = 0.1
"""Share of a volume that its file system may need for itself."""


def disks(access: HostAccess, status: HostStatus, deployment: Deployment) -> list[Finding]:
    """Space and inodes of each volume against the alarms' thresholds."""
    space, inodes = status.each("disk_free_percent"), status.each("inodes_free_percent")
    findings = [
        _disk(access, volume, space[volume], inodes.get(volume, 100.0), deployment)
        for volume in sorted(space)
    ]
    return findings or [unknown("host.disk", access.name, status.why_missing)]


def _disk(
    access: HostAccess, volume: str, space: float, inodes: float, deployment: Deployment
) -> Finding:
    alarms, subject = deployment.settings.alarms, f"{access.name} {volume}"
    saw = f"{space:.0f} % of space and {inodes:.0f} % of inodes free"
    fix = fixes.on_host(access, f"sudo du -xh -d2 {_PLACES.get(volume, '/')} | sort -h | tail")
    if volume in _SIZES:
        fix += f"; more room: raise {_SIZES[volume]}, then {fixes.up(deployment)}"
    free = min(space, inodes)
    if free < alarms.disk_free_critical:
        expected = f"{alarms.disk_free_critical} % or more"
        return failed("host.disk", subject, saw, expected=expected, fix=fix)
    if free < alarms.disk_free_warning:
        expected = f"{alarms.disk_free_warning} % or more"
        return warned("host.disk", subject, saw, expected=expected, fix=fix)
    return passed("host.disk", subject, saw)


_PLACES = {"spool": SPOOL, "logs": LOGS}
_SIZES = {"spool": "mta.spoolGib", "logs": "mta.logGib"}


def backlog_room(access: HostAccess, status: HostStatus, deployment: Deployment) -> Finding:
    """The spool has its size, and above kumod's limit room for the backlog that is expected."""
    free = status.metric("disk_free_bytes", "spool")
    total = status.metric("disk_total_bytes", "spool")
    if free is None or total is None:
        return unknown("host.backlog-room", access.name, status.why_missing)
    host = deployment.settings.mta
    volume = host.spool_gib * _GIB
    if total < volume * (1 - _FILE_SYSTEM_TAKES):
        return warned(
            "host.backlog-room",
            access.name,
            f"the spool's file system has {total / _GIB:.0f} GiB",
            expected=f"{host.spool_gib} GiB (mta.spoolGib)",
            fix=f"{fixes.push(deployment)} grows it to its volume",
        )
    room = max(0.0, free - total * KUMOD_REFUSES_BELOW / 100)
    need = host.expected_backlog * host.expected_message_kib * 1024
    saw = f"{room / _GIB:.1f} GiB usable, {need / _GIB:.1f} GiB expected at the worst"
    if room < need:
        return warned(
            "host.backlog-room",
            access.name,
            saw,
            expected=f"room for {host.expected_backlog} messages "
            f"of {host.expected_message_kib} KiB",
            fix=f"raise mta.spoolGib or lower mta.expectedBacklog, then {fixes.up(deployment)}",
        )
    return passed("host.backlog-room", access.name, saw)


def memory(access: HostAccess, status: HostStatus, deployment: Deployment) -> Finding:
    """Memory in use: of kumod's limit on the MTA, of the machine elsewhere."""
    used, limit = status.metric("memory_used_percent"), deployment.settings.alarms.memory_used
    if used is None:
        return unknown("host.memory", access.name, status.why_missing)
    saw = f"{used:.0f} % used"
    if used > limit:
        kind = "mta.instanceType" if access.role == "mta" else "instanceType of the proxy"
        return warned(
            "host.memory",
            access.name,
            saw,
            expected=f"{limit} % or less",
            fix=f"what uses it: {fixes.on_host(access, 'ps aux --sort=-rss | head')}; "
            f"if it is needed: a larger {kind}, then {fixes.up(deployment)}",
        )
    return passed("host.memory", access.name, saw)


def clock(access: HostAccess, status: HostStatus, deployment: Deployment) -> Finding:
    """Offset of the clock, as the host's time synchronisation knows it."""
    offset, limit = status.metric("clock_offset_seconds"), deployment.settings.alarms.clock_offset
    fix = fixes.on_host(access, "chronyc tracking; chronyc sources; sudo chronyc makestep")
    if offset is None:
        return unknown("host.clock", access.name, status.why_missing, fix=fix)
    saw = f"{offset:+.3f} s off"
    if abs(offset) > limit:
        return failed("host.clock", access.name, saw, expected=f"within {limit} s", fix=fix)
    return passed("host.clock", access.name, saw)
