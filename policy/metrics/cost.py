"""The monthly cost of monitoring an environment."""

from dataclasses import dataclass

from policy.metrics.model import load
from policy.metrics.plan import (
    BALANCER,
    metrics_of,
    paging,
    planned_alarms,
    shared_zones,
    values,
)
from policy.settings import Settings
from policy.settings.base import seconds

_MONTH = 730 * 3600


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one host or the load balancer. `metrics` is the maximum: a provider and source without
    mail in an hour costs nothing in that hour. An alarm's price depends on the metrics it reads.
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
    """Of each host, and of the load balancer, whose metrics are AWS's own and free."""
    hosts = tuple(
        _cost(
            settings,
            host,
            sum(len(values(metric.by, role, settings)) for metric in metrics_of(role, settings)),
            _MONTH // seconds(settings.alarms.interval),
        )
        for host, role in settings.roles.items()
    )
    return hosts if settings.mta.nodes == 1 else (*hosts, _cost(settings, BALANCER, 0, 0))


def _cost(settings: Settings, host: str, metrics: int, requests: int) -> Cost:
    planned = [one for one in planned_alarms(settings) if one.host == host]
    return Cost(
        host=host,
        metrics=metrics,
        alarms=len(planned),
        alarm_metrics=sum(one.metric_count for one in planned),
        requests=requests,
    )


def shared(settings: Settings) -> float:
    """The composite alarms and the dashboard."""
    prices = load().prices
    zones = len(shared_zones(settings))
    parts = len(paging(settings))
    composites = zones + (1 + parts if parts > 1 else 1)
    return prices.composite * composites + prices.dashboard
