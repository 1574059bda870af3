"""The alarms of one environment: each row of the table for each host, volume, provider, source."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.metrics.model import OTHER, Alarm, Condition, Dimension, Metric, Place, Table, load
from policy.release import Role
from policy.settings import Settings
from policy.settings.base import seconds

BALANCER = "balancer"
"""The name of the load balancer among hosts."""

VOLUMES: Mapping[Place, tuple[str, ...]] = {"mta": ("spool", "logs", "root"), "proxy": ("root",)}
_MOST_CHILDREN = 100
"""Of a composite alarm, at AWS."""

_DURATION = re.compile(r"[0-9]+[smhd]")
_UNIT_SECONDS = {"seconds": 1, "hours": 3600, None: 1}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One alarm on one host, or on the load balancer, with its numbers.

    `key` is unique in the environment. `dimensions` are the table's own (volume and so on), by
    which its metrics are told apart beside environment and host.
    """

    key: str
    host: str
    alarm: Alarm
    dimensions: Mapping[Dimension, str]
    expression: str | None
    threshold: float
    period: int
    description: str

    @property
    def metric_count(self) -> int:
        """What AWS charges an alarm for."""
        return len(self.alarm.read)


def metrics_of(role: Role, settings: Settings) -> tuple[Metric, ...]:
    """What a host of that role sends."""
    return tuple(
        metric
        for metric in load().metrics
        if role in metric.hosts and wanted(metric.only, settings)
    )


def places(settings: Settings) -> Mapping[str, Place]:
    """What is watched, by name: every host, and the load balancer before several MTA hosts."""
    balancer: dict[str, Place] = {BALANCER: "balancer"} if settings.mta.nodes > 1 else {}
    return {**settings.roles, **balancer}


def shared_zones(settings: Settings) -> Mapping[int, tuple[str, ...]]:
    """Hosts by subnet, for those subnets that have more than one; none without several nodes."""
    if settings.mta.nodes == 1:
        return {}
    mta = {host: settings.mta.subnet_of(host) for host in settings.mta.host_names}
    subnets = {**mta, **{proxy.name: proxy.subnet for proxy in settings.proxies}}
    found = {
        subnet: tuple(host for host in subnets if subnets[host] == subnet)
        for subnet in sorted({*subnets.values()})
    }
    return {subnet: hosts for subnet, hosts in found.items() if len(hosts) > 1}


def paging(settings: Settings) -> tuple[tuple[str, ...], ...]:
    """The keys of the composite alarm's alarms, in lists that one composite alarm takes."""
    wanted = load().composite.any
    keys = [one.key for one in planned_alarms(settings) if one.alarm.name in wanted]
    starts = range(0, len(keys), _MOST_CHILDREN)
    return tuple(tuple(keys[start : start + _MOST_CHILDREN]) for start in starts)


def values(
    by: tuple[Dimension, ...], role: Place, settings: Settings
) -> list[dict[Dimension, str]]:
    """Every combination of values of the dimensions."""
    known: dict[Dimension, tuple[str, ...]] = {
        "volume": VOLUMES.get(role, ()),
        "provider": (*load().providers, OTHER),
        "source": tuple(source.name for source in settings.sources),
    }
    combinations = itertools.product(*(known[dimension] for dimension in by))
    return [dict(zip(by, combination, strict=True)) for combination in combinations]


def planned_alarms(settings: Settings, table: Table | None = None) -> tuple[Planned, ...]:
    """All alarms; none is muted or left out here."""
    return tuple(_planned(settings, table or load()))


def _planned(settings: Settings, table: Table) -> Iterator[Planned]:
    for host, role in places(settings).items():
        for alarm in table.alarms:
            if role in alarm.hosts and wanted(alarm.only, settings):
                for dimensions in values(alarm.by, role, settings):
                    yield _plan(settings, host, alarm, dimensions)


def _plan(
    settings: Settings, host: str, alarm: Alarm, dimensions: Mapping[Dimension, str]
) -> Planned:
    fields: dict[str, Any] = settings.alarms.model_dump()
    fields.update({str(name): value for name, value in dimensions.items()})
    threshold = threshold_of(alarm, settings)
    means = alarm.means.format_map(fields)
    where = f"{settings.environment}, {host}"
    return Planned(
        key="-".join((host, alarm.name, *dimensions.values())),
        host=host,
        alarm=alarm,
        dimensions=dimensions,
        expression=alarm.expression.format_map(fields) if alarm.expression else None,
        threshold=threshold,
        period=period_of(alarm, settings),
        description=f"{where}: {means} What to do: {alarm.do}",
    )


def threshold_of(alarm: Alarm, settings: Settings) -> float:
    """The limit as a number, durations in the alarm's unit."""
    limit = alarm.limit
    if isinstance(limit, str):
        limit = getattr(settings.alarms, limit)
    if isinstance(limit, str):
        return seconds(limit) / _UNIT_SECONDS[alarm.limit_unit]
    return float(limit)


def period_of(alarm: Alarm, settings: Settings) -> int:
    """Seconds covered by one value: whole minutes, and not shorter than the hosts' interval."""
    text = alarm.period
    if not _DURATION.fullmatch(text):
        text = str(getattr(settings.alarms, text))
    wanted = seconds(text)
    if any(read.metric for read in alarm.read.values()):
        wanted = max(wanted, seconds(settings.alarms.interval))
    return -(-wanted // 60) * 60


def wanted(only: Condition | None, settings: Settings) -> bool:
    """Whether the environment has what a row of the table is only for."""
    if only == "outbox":
        return settings.webhook.transport == "outbox"
    if only == "nodes":
        return settings.mta.nodes > 1
    if only == "proxies":
        return len(settings.proxies) > 1
    if only == "automation":
        return settings.shaping.automation
    return only is None or settings.logs.ship
