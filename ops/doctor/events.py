"""Events on their way to PING8, and mail on its way out, as the MTA host counts them."""

from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.host_status import HostStatus
from ops.stack import Deployment
from policy.settings.base import seconds


def backlog(host: str, status: HostStatus, deployment: Deployment) -> Finding:
    """Events that wait for PING8."""
    waiting, limit = status.metric("event_backlog"), deployment.settings.alarms.event_backlog
    if waiting is None:
        return unknown("mta.events", host, status.why_missing)
    saw = f"{waiting:.0f} events wait"
    if waiting > limit:
        return failed(
            "mta.events",
            host,
            saw,
            expected=f"{limit} or fewer",
            fix="see what PING8 answers: "
            f"ping8 doctor --stack {deployment.stack} --only mta.webhook --test-event",
        )
    return passed("mta.events", host, saw)


def dead_letters(host: str, status: HostStatus, deployment: Deployment) -> Finding:
    """Events that PING8 refused for good."""
    dead = status.metric("dead_letters")
    if dead is None:
        return unknown("mta.dead-letters", host, status.why_missing)
    if dead:
        stack = deployment.stack
        return warned(
            "mta.dead-letters",
            host,
            f"{dead:.0f} dead letters",
            expected="none",
            fix=f"why: ping8 events list --stack {stack}; when PING8 is fixed: "
            f"ping8 events replay --stack {stack}",
        )
    return passed("mta.dead-letters", host, "none")


def queue_age(host: str, status: HostStatus, deployment: Deployment) -> Finding:
    """Age of the oldest message that waits."""
    age, limit = status.metric("oldest_message_seconds"), deployment.settings.alarms.queue_age
    if age is None:
        return unknown("mta.queue-age", host, status.why_missing)
    if age > seconds(limit):
        return warned(
            "mta.queue-age",
            host,
            f"{age / 3600:.1f} h",
            expected=f"{limit} or less",
            fix="which destination it is: "
            + fixes.on_host(deployment.mta, "sudo /opt/kumomta/sbin/kcli queue-summary"),
        )
    return passed("mta.queue-age", host, f"{age / 60:.0f} min")
