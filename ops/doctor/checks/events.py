"""Pending events and queued mail, as the MTA host counts them."""

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.registry import check
from ops.doctor.subjects import MTA
from ops.stack import HostAccess
from policy.settings.base import seconds


@check("mta.events", MTA)
def backlog(host: HostAccess, case: Case) -> Finding:
    """Events that are pending."""
    status = case.status(host)
    waiting, limit = status.metric("event_backlog"), case.settings.alarms.event_backlog
    if waiting is None:
        return unknown(status.why_missing)
    saw = f"{waiting:.0f} events pending"
    if waiting > limit:
        return failed(
            saw,
            expected=f"{limit} or fewer",
            fix="to see what PING8 answers: "
            f"ping8 doctor --stack {case.deployment.stack} --only mta.webhook --test-event",
        )
    return passed(saw)


@check("mta.dead-letters", MTA)
def dead_letters(host: HostAccess, case: Case) -> Finding:
    """Events that PING8 refused for good."""
    status = case.status(host)
    dead = status.metric("dead_letters")
    if dead is None:
        return unknown(status.why_missing)
    if dead:
        stack = case.deployment.stack
        return warned(
            f"{dead:.0f} dead letters",
            expected="none",
            fix=f"to see why: ping8 events list --stack {stack}; once PING8 is fixed: "
            f"ping8 events replay --stack {stack}",
        )
    return passed("none")


@check("mta.reputation", MTA)
def refusals(host: HostAccess, case: Case) -> Finding:
    """Unacknowledged refusals for reputation."""
    status = case.status(host)
    count = status.metric("reputation_refusals")
    if count is None:
        return unknown(status.why_missing)
    if not count:
        return passed("none")
    opened = [one for one in status.refusals if not one["acknowledged"]]
    return failed(
        "; ".join(f"{one['provider']} refuses {one['source']}: {one['words']}" for one in opened),
        expected="none",
        fix=f"to see what to do: ping8 reputation list --stack {case.deployment.stack}",
    )


@check("mta.queue-age", MTA)
def queue_age(host: HostAccess, case: Case) -> Finding:
    """Age of the oldest queued message."""
    status = case.status(host)
    age, limit = status.metric("oldest_message_seconds"), case.settings.alarms.queue_age
    if age is None:
        return unknown(status.why_missing)
    if age > seconds(limit):
        return warned(
            f"{age / 3600:.1f} h",
            expected=f"{limit} or less",
            fix="to find the destination: "
            + fixes.on_host(host, "sudo /opt/kumomta/sbin/kcli queue-summary"),
        )
    return passed(f"{age / 60:.0f} min")
