"""The table of metrics, alarms and widgets (`table.yaml`) as typed objects."""

from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, model_validator

from policy.release import Role
from policy.settings.base import Model, named

TABLE = Path(__file__).with_name("table.yaml")

Dimension = Literal["volume", "provider", "source"]
Statistic = Literal["Sum", "Minimum", "Maximum", "SampleCount"]
Place = Role | Literal["balancer"]
"""Where an alarm looks: a kind of host, or the load balancer before several MTA hosts."""

Condition = Literal["shipping", "outbox", "automation", "proxies", "nodes"]
OTHER = "other"
"""The provider for all domains that belong to none of the listed ones."""


class Metric(Model):
    """One name that hosts send, once for each value of its dimensions.

    A `flow` counts since the last run; the others are states. `only` names what must be
    switched on for it.
    """

    name: str
    kind: Literal["gauge", "flow", "switch"]
    unit: Literal["Percent", "Count", "Seconds", "None"]
    hosts: tuple[Role, ...]
    by: tuple[Dimension, ...] = ()
    absolute: bool = False
    only: Condition | None = None
    means: str


class Read(Model):
    """What an alarm reads: one of our metrics, or one of EC2's or the load balancer's own."""

    metric: str | None = None
    ec2: str | None = None
    balancer: str | None = None
    statistic: Statistic

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.metric, self.ec2, self.balancer].count(None) != 2:
            raise ValueError("set one of metric, ec2 and balancer")
        return self

    @property
    def name(self) -> str:
        """The metric's name, whoever sends it."""
        return self.metric or self.ec2 or self.balancer or ""


class Alarm(Model):
    """When operators are notified. Texts and expression may contain `{setting}` and `{dimension}`.

    `each`: the expression is the worst of the metrics, so any one of them can exceed the limit.
    """

    name: str = Field(pattern=r"[a-z0-9-]+")
    severity: Literal["warning", "critical"]
    hosts: tuple[Place, ...]
    by: tuple[Dimension, ...] = ()
    only: Condition | None = None
    read: dict[str, Read]
    expression: str | None = None
    each: bool = False
    is_: Literal["below", "above", "at-least"] = Field(alias="is")
    limit: float | str
    limit_unit: Literal["seconds", "hours"] | None = None
    period: str
    periods: int
    missing: Literal["missing", "notBreaching", "breaching"]
    action: Literal["recover", "reboot"] | None = None
    means: str
    do: str

    @model_validator(mode="after")
    def _expression_when_several(self) -> Self:
        if (len(self.read) > 1) != (self.expression is not None):
            raise ValueError(f"{self.name}: an expression, if and only if several metrics are read")
        return self


class Composite(Model):
    """One alarm over others."""

    name: str
    any: tuple[str, ...]
    means: str
    do: str


class LostZone(Model):
    """One alarm for each zone with several hosts: the alarm `all` of every one of them."""

    name: str
    all: str
    means: str
    do: str


class Widget(Model):
    """A widget: metrics of hosts, or the expression of an alarm.

    `over` draws one line for each value of that dimension, summed over the others. `sum` draws the
    sum over several hosts as well, and `last` the last value of a host that is silent. `lines`
    names the alarms to draw where they do not follow from the metrics.
    """

    title: str
    host: Role | Literal["any"]
    width: int
    statistic: Statistic | None = None
    metrics: tuple[str, ...] = ()
    alarm: str | None = None
    over: Dimension | None = None
    sum: bool = False
    last: bool = False
    only: Condition | None = None
    range: tuple[float, float] | None = None
    lines: tuple[str, ...] = ()


class Prices(Model):
    """USD a month; `request` each."""

    metric: float
    alarm_metric: float
    composite: float
    dashboard: float
    request: float


class Table(Model):
    """The whole table; it defines every name that it uses."""

    namespace: str
    providers: dict[str, tuple[str, ...]]
    metrics: tuple[Metric, ...]
    alarms: tuple[Alarm, ...]
    composite: Composite
    lost_zone: LostZone
    widgets: tuple[Widget, ...]
    prices: Prices

    def metric(self, name: str) -> Metric:
        """A metric by name."""
        return named(self.metrics, name)

    def alarm(self, name: str) -> Alarm:
        """An alarm by name."""
        return named(self.alarms, name)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        metrics = {metric.name: metric for metric in self.metrics}
        alarms = {alarm.name for alarm in self.alarms}
        used = {name for widget in self.widgets for name in widget.metrics}
        reads = [(alarm, read) for alarm in self.alarms for read in alarm.read.values()]
        used |= {read.metric for _, read in reads if read.metric}
        if used - metrics.keys():
            raise ValueError(f"no such metrics: {sorted(used - metrics.keys())}")
        if idle := metrics.keys() - used:
            raise ValueError(f"sent but not used: {sorted(idle)}")
        named = {widget.alarm for widget in self.widgets if widget.alarm}
        named |= {
            self.lost_zone.all,
            *self.composite.any,
            *(line for widget in self.widgets for line in widget.lines),
        }
        if named - alarms:
            raise ValueError(f"no such alarms: {sorted(named - alarms)}")
        for alarm, read in reads:
            metric = metrics.get(read.metric or "")
            if metric and not ({*alarm.hosts} <= {*metric.hosts} and alarm.by == metric.by):
                raise ValueError(f"{alarm.name}: hosts or dimensions are not those of {read}")
        return self


@cache
def load() -> Table:
    """The table of this repository."""
    return Table.model_validate(yaml.safe_load(TABLE.read_text("utf-8")))
