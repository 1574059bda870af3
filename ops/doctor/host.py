"""What a host tells of itself: units, release, drift, disks, memory, clock, version, events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.stack import HostAccess
from policy.settings import Settings
from policy.settings.base import seconds

_RESTARTS = 3
_KUMOD_REFUSES_BELOW = 10  # percent free


@dataclass(frozen=True, kw_only=True)
class Status:
    """The answer of `ping8-agent status`: units, figures by name and dimension, version."""

    release: str | None
    units: Sequence[Mapping[str, Any]]
    figures: Mapping[tuple[str, str], float]
    version: str | None

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Status":
        """From the agent's JSON."""
        return cls(
            release=answer.get("release"),
            units=answer.get("units", []),
            version=answer.get("kumomta"),
            figures={
                (figure["name"], ",".join(str(v) for v in figure.get("dimensions", {}).values())): (
                    figure["value"]
                )
                for figure in answer.get("figures", [])
            },
        )

    def figure(self, name: str, dimension: str = "") -> float | None:
        """One figure; None where the host does not have it."""
        return self.figures.get((name, dimension))

    def each(self, name: str) -> dict[str, float]:
        """A figure by its dimension (volumes, for instance)."""
        return {dim: value for (figure, dim), value in self.figures.items() if figure == name}


def everything(access: HostAccess, settings: Settings, ask: Callable[..., Any]) -> list[Finding]:
    """All that one host tells of itself; what needs a log-in is unknown without one."""
    name = access.name
    try:
        status = Status.parse(ask(access, "status"))
    except Exception as error:  # whatever failed, the operator reads it as this one finding
        return _no_login(access, str(error))
    findings = [
        passed("host.login", name, f"{access.user}@{access.address}"),
        units(name, status),
        release(name, status, access.release_id),
        *disks(name, status, settings),
        memory(name, status, settings),
        clock(name, status, settings),
    ]
    if access.role == "mta":
        findings += [
            backlog_room(name, status, settings),
            version(name, status, settings),
            events(name, status, settings),
            queue_age(name, status, settings),
        ]
    return findings


def _no_login(access: HostAccess, error: str) -> list[Finding]:
    mend = (
        f"check that your address is in operators.cidrs and that {access.name} runs: "
        f"aws ec2 describe-instance-status --instance-ids {access.instance_id}"
    )
    checks = ["host.units", "host.release", "host.disk", "host.memory", "host.clock"]
    if access.role == "mta":
        checks += ["host.backlog-room", "host.version", "mta.events", "mta.queue-age"]
    return [
        failed("host.login", access.name, error, expected="a log-in", mend=mend),
        *(unknown(check, access.name, "no log-in") for check in checks),
    ]


def units(host: str, status: Status) -> Finding:
    """All units of the release are active and do not restart in circles."""
    down = [u["unit"] for u in status.units if u["active"] not in ("active", "activating")]
    restless = [u["unit"] for u in status.units if u.get("restarts", 0) >= _RESTARTS]
    if down:
        return failed(
            "host.units",
            host,
            f"not active: {', '.join(down)}",
            expected="active",
            mend=f"ssh to {host}: sudo journalctl -u {down[0]} -n 50; sudo systemctl start it",
        )
    if restless:
        return warned(
            "host.units",
            host,
            f"restarted {_RESTARTS} times or more: {', '.join(restless)}",
            expected="no restarts",
            mend=f"ssh to {host}: sudo journalctl -u {restless[0]} -n 100",
        )
    return passed("host.units", host, f"{len(status.units)} units are active")


def release(host: str, status: Status, expected: str) -> Finding:
    """The live release is the one that the stack says."""
    if status.release == expected:
        return passed("host.release", host, expected)
    return failed(
        "host.release",
        host,
        status.release or "none",
        expected=expected,
        mend="pulumi up with push: always, or find who rolled back",
    )


def drift(host: str, differences: Sequence[Mapping[str, Any]]) -> Finding:
    """Each difference of the host from its release, as `ping8-agent drift` lists them."""
    if not differences:
        return passed("host.drift", host, "no difference")
    first = ", ".join(f"{d['path']}: {d['what']}" for d in differences[:3])
    return failed(
        "host.drift",
        host,
        f"{len(differences)} differences: {first}",
        expected="none",
        mend="pulumi up with push: always puts the release back and keeps the changed file aside",
    )


def disks(host: str, status: Status, settings: Settings) -> list[Finding]:
    """Space and inodes of each volume against the alarm thresholds."""
    findings = []
    for what in ("disk_free_percent", "inodes_free_percent"):
        for volume, free in sorted(status.each(what).items()):
            saw = f"{volume}: {free:.0f} % of {'space' if what.startswith('disk') else 'inodes'}"
            findings.append(_disk(host, f"{saw} free", free, settings))
    return findings or [unknown("host.disk", host, "the host told no figures")]


def _disk(host: str, saw: str, free: float, settings: Settings) -> Finding:
    alarms = settings.alarms
    mend = (
        "raise mta.spoolGib or logs limits and pulumi up; find what fills it: sudo du -xh -d2 /var"
    )
    if free < alarms.disk_free_critical:
        return failed(
            "host.disk", host, saw, expected=f"{alarms.disk_free_critical} % or more", mend=mend
        )
    if free < alarms.disk_free_warning:
        return warned(
            "host.disk", host, saw, expected=f"{alarms.disk_free_warning} % or more", mend=mend
        )
    return passed("host.disk", host, saw)


def backlog_room(host: str, status: Status, settings: Settings) -> Finding:
    """The spool's free space above kumod's limit holds the backlog that the settings expect."""
    free = status.figure("disk_free_bytes", "spool")
    total = status.figure("disk_total_bytes", "spool")
    if free is None or total is None:
        return unknown("host.backlog-room", host, "the host told no figures of the spool")
    room = free - total * _KUMOD_REFUSES_BELOW / 100
    need = settings.mta.expected_backlog * settings.mta.expected_message_kib * 1024
    saw = f"{room / 2**30:.0f} GiB usable, {need / 2**30:.0f} GiB expected"
    if room < need:
        return warned(
            "host.backlog-room",
            host,
            saw,
            expected="room for the expected backlog",
            mend="raise mta.spoolGib and pulumi up, or lower mta.expectedBacklog",
        )
    return passed("host.backlog-room", host, saw)


def memory(host: str, status: Status, settings: Settings) -> Finding:
    """Memory in use, of kumod's limit on the MTA and of the machine elsewhere."""
    used = status.figure("memory_used_percent")
    if used is None:
        return unknown("host.memory", host, "the host told no figure")
    if used > settings.alarms.memory_used:
        return warned(
            "host.memory",
            host,
            f"{used:.0f} % used",
            expected=f"{settings.alarms.memory_used} % or less",
            mend="a larger instanceType, or find what grows: ping8 status",
        )
    return passed("host.memory", host, f"{used:.0f} % used")


def clock(host: str, status: Status, settings: Settings) -> Finding:
    """Offset of the clock, in seconds, from time synchronisation."""
    offset = status.figure("clock_offset_seconds")
    if offset is None:
        return unknown("host.clock", host, "the host does not know its offset")
    if abs(offset) > settings.alarms.clock_offset:
        return failed(
            "host.clock",
            host,
            f"{offset:+.3f} s off",
            expected=f"within {settings.alarms.clock_offset} s",
            mend=f"ssh to {host}: timedatectl timesync-status",
        )
    return passed("host.clock", host, f"{offset:+.3f} s off")


def version(host: str, status: Status, settings: Settings) -> Finding:
    """The installed KumoMTA is the pinned one."""
    pinned, found = settings.kumomta.version, status.version or "none"
    if pinned in found:
        return passed("host.version", host, found)
    return failed("host.version", host, found, expected=pinned, mend="pulumi up with push: always")


def events(host: str, status: Status, settings: Settings) -> Finding:
    """Backlog of events and dead letters."""
    backlog = status.figure("event_backlog")
    dead = status.figure("dead_letters")
    if backlog is None or dead is None:
        return unknown("mta.events", host, "the host told no figures of events")
    saw = f"{backlog:.0f} events wait, {dead:.0f} dead letters"
    if dead:
        return warned(
            "mta.events",
            host,
            saw,
            expected="no dead letters",
            mend="ping8 events list; when the receiver is mended: ping8 events replay",
        )
    if backlog > settings.alarms.event_backlog:
        return failed(
            "mta.events",
            host,
            saw,
            expected=f"{settings.alarms.event_backlog} or fewer",
            mend="check the webhook below; events are retried for as long as webhook.maxEventAge",
        )
    return passed("mta.events", host, saw)


def queue_age(host: str, status: Status, settings: Settings) -> Finding:
    """Age of the oldest message that waits."""
    age = status.figure("oldest_message_seconds")
    if age is None:
        return unknown("mta.queue-age", host, "the host told no figure")
    limit = seconds(settings.alarms.queue_age)
    if age > limit:
        return warned(
            "mta.queue-age",
            host,
            f"{age / 3600:.1f} h",
            expected=f"{settings.alarms.queue_age} or less",
            mend=f"ssh to {host}: sudo /opt/kumomta/sbin/kcli queue-summary",
        )
    return passed("mta.queue-age", host, f"{age / 60:.0f} min")
