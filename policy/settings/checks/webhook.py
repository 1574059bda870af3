"""The way of events to PING8: none may be lost, whatever is configured."""

from collections.abc import Iterator

from policy.settings.base import seconds
from policy.settings.checks.rule import check
from policy.settings.model import Settings
from policy.settings.problems import Finding

MUST_ARRIVE = frozenset(
    {"Delivery", "TransientFailure", "Bounce", "AdminBounce", "OOB", "Feedback", "Expiration"}
)
"""Delivered, deferred, bounced, complained, failed and expired, by the contract with PING8."""

_SEVEN_DAYS = 7 * 86400
_LONGEST_TIMEOUT = 300


@check("webhook")
def contract_events_are_sent(settings: Settings) -> Iterator[Finding]:
    """Record types may be left out, but not those that the contract promises."""
    for i, kind in enumerate(settings.webhook.leave_out):
        if kind in MUST_ARRIVE:
            yield Finding(
                path=("webhook", "leaveOut", i),
                value=kind,
                fix="remove it: the contract with PING8 promises these events",
            )


@check("webhook")
def events_live_seven_days(settings: Settings) -> Iterator[Finding]:
    """A receiver may be down over a long weekend."""
    if seconds(settings.webhook.max_event_age) < _SEVEN_DAYS:
        yield Finding(
            path=("webhook", "maxEventAge"),
            value=settings.webhook.max_event_age,
            fix="use 7d or more: events are retried for at least seven days",
        )


@check("webhook")
def webhook_intervals_are_in_order(settings: Settings) -> Iterator[Finding]:
    """First wait, longest wait, dead letter; one POST must end before the next wait does."""
    webhook = settings.webhook
    if seconds(webhook.retry_interval) > seconds(webhook.max_retry_interval):
        yield Finding(
            path=("webhook", "retryInterval"),
            value=webhook.retry_interval,
            fix="make it no longer than maxRetryInterval",
        )
    if seconds(webhook.max_retry_interval) > seconds(webhook.max_event_age):
        yield Finding(
            path=("webhook", "maxRetryInterval"),
            value=webhook.max_retry_interval,
            fix="make it no longer than maxEventAge",
        )
    if seconds(webhook.timeout) > _LONGEST_TIMEOUT:
        yield Finding(
            path=("webhook", "timeout"),
            value=webhook.timeout,
            fix="use 5m or less: a hanging receiver holds a connection this long",
        )
