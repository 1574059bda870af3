"""The monthly cost of monitoring an environment."""

from dataclasses import dataclass

from policy.metrics.model import load
from policy.metrics.plan import metrics_of, planned_alarms, values
from policy.settings import Settings
from policy.settings.base import seconds

_MONTH = 730 * 3600


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one host. `metrics` is the maximum: a provider and source without mail in an
    hour costs nothing in that hour. An alarm's price depends on the metrics it reads.
    """

    host: str
    metrics: int
    alarms: int
    alarm_metrics: int
    requests: int

    @property
    def usd(self) -> float:
        """A month."""
        prices = load().prices
        return (
            self.metrics * prices.metric
            + self.alarm_metrics * prices.alarm_metric
            + self.requests * prices.request
        )


def costs(settings: Settings) -> tuple[Cost, ...]:
    """Of each host."""
    planned = planned_alarms(settings)
    return tuple(
        Cost(
            host=host,
            metrics=sum(
                len(values(metric.by, role, settings)) for metric in metrics_of(role, settings)
            ),
            alarms=sum(one.host == host for one in planned),
            alarm_metrics=sum(one.metric_count for one in planned if one.host == host),
            requests=_MONTH // seconds(settings.alarms.interval),
        )
        for host, role in settings.roles.items()
    )


def shared() -> float:
    """The composite alarm and the dashboard."""
    prices = load().prices
    return prices.composite + prices.dashboard
