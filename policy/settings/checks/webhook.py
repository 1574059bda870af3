"""The path of events to PING8: no setting may cause a loss."""

from collections.abc import Iterator

from policy.settings.base import seconds
from policy.settings.checks.rule import check
from policy.settings.model import Settings
from policy.settings.plain_secrets import Path
from policy.settings.problems import Finding

MUST_ARRIVE = frozenset(
    {"Delivery", "TransientFailure", "Bounce", "AdminBounce", "OOB", "Feedback", "Expiration"}
)
"""Record types of the events that the contract with PING8 promises."""

_SEVEN_DAYS = 7 * 86400
_LONGEST_TIMEOUT = 300


@check("webhook")
def contract_events_are_sent(settings: Settings) -> Iterator[Finding]:
    """Record types may be left out, but not those that the contract with PING8 promises."""
    for i, kind in enumerate(settings.webhook.leave_out):
        if kind in MUST_ARRIVE:
            yield Finding(
                path=("webhook", "leaveOut", i),
                value=kind,
                fix="remove it: the contract with PING8 promises these events",
            )


@check("webhook")
def events_live_seven_days(settings: Settings) -> Iterator[Finding]:
    """PING8 may be down over a long weekend."""
    if seconds(settings.webhook.max_event_age) < _SEVEN_DAYS:
        yield Finding(
            path=("webhook", "maxEventAge"),
            value=settings.webhook.max_event_age,
            fix="use 7d or more: events are retried for at least seven days",
        )


@check("mta", "webhook", elements=["brands"])
def nothing_is_too_old_to_move(settings: Settings) -> Iterator[Finding]:
    """kumod expires what is older than a week when it moves to another node."""
    if settings.mta.nodes == 1:
        return
    ages: dict[Path, str] = {("webhook", "maxEventAge"): settings.webhook.max_event_age}
    ages |= {("brands", i, "maxAge"): brand.max_age for i, brand in enumerate(settings.brands)}
    for path, age in ages.items():
        if seconds(age) > _SEVEN_DAYS:
            fix = "with several nodes, use 7d at most: KumoMTA drops what is older when it moves"
            yield Finding(path=path, value=age, fix=fix)


@check("webhook")
def webhook_intervals_are_in_order(settings: Settings) -> Iterator[Finding]:
    """First wait, longest wait and dead letter come in this order; a POST ends in 5 minutes."""
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
            fix="use 5m or less: a hanging receiver keeps a connection busy for this long",
        )
