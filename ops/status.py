"""`ping8 status`: the metrics that hosts send to CloudWatch, in the terminal."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops import reputation
from ops.drain import since
from ops.output import console, duration
from ops.ssh import ssh_json
from ops.stack import Deployment, HostAccess, read_deployment
from policy.errors import UserError
from policy.metrics import load
from policy.metrics.model import Alarm
from policy.metrics.plan import threshold_of
from policy.settings import Settings

_STYLES = {"critical": "bold red", "warning": "yellow", "": ""}
"""By severity, the worst first. The word is printed too, so colour is never the only sign."""

_SHORT = frozenset(
    {
        "messages_scheduled",
        "messages_ready",
        "oldest_message_seconds",
        "messages_received",
        "messages_delivered",
        "messages_deferred",
        "messages_bounced",
        "sites_suspended",
        "sources_paused",
        "event_backlog",
        "dead_letters",
        "disk_free_percent",
    }
)
"""Metrics that are always shown."""

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One metric of one host. `severity` is that of the worst alarm whose limit it exceeds."""

    metric: str
    of: str
    value: str
    severity: str


def status(
    stack: str, *, host: str | None, every_metric: bool, watch: bool, every: int, as_json: bool
) -> None:
    """Each host's metrics, units and release; status 1 if a host does not answer."""
    deployment = read_deployment(stack)
    hosts = [deployment.host(host)] if host else list(deployment.hosts.values())
    if watch:
        _watch(deployment, hosts, every, every_metric=every_metric)
        return
    answers = ask(hosts)
    if as_json:
        typer.echo(json.dumps(answers))
    else:
        console().print(shown(answers, deployment, every_metric=every_metric), crop=False)
    if any("error" in answer for answer in answers.values()):
        raise typer.Exit(1)


def _watch(
    deployment: Deployment, hosts: Sequence[HostAccess], every: int, *, every_metric: bool
) -> None:
    with Live(auto_refresh=False, screen=sys.stdout.isatty(), console=console()) as live:
        try:
            while True:
                answers = ask(hosts)
                live.update(shown(answers, deployment, every_metric=every_metric), refresh=True)
                time.sleep(every)
        except KeyboardInterrupt:
            return


def ask(hosts: Sequence[HostAccess]) -> dict[str, dict[str, Any]]:
    """Each host's answer, or the reason for none under `error`."""

    def one(access: HostAccess) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = ssh_json(access, ["status"])
        except UserError as error:
            return {"error": str(error)}
        return answer

    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip((access.name for access in hosts), pool.map(one, hosts), strict=True))


def shown(
    answers: Mapping[str, Mapping[str, Any]], deployment: Deployment, *, every_metric: bool = True
) -> RenderableType:
    """Refusals for reputation, then the hosts, the worst first: all metrics, or one screen."""
    parts: list[RenderableType] = [
        reputation.shown([{"host": name, **one} for one in answer["reputation"]], deployment)
        for name, answer in answers.items()
        if answer.get("reputation")
    ]
    hosts = [_host(name, answer, deployment, every_metric) for name, answer in answers.items()]
    for _, host in sorted(hosts, key=lambda one: one[0]):
        parts += host
    return Group(*parts)


def _host(
    name: str, answer: Mapping[str, Any], deployment: Deployment, every_metric: bool
) -> tuple[int, list[RenderableType]]:
    """How bad the host is (0 is worst) and what is shown."""
    access = deployment.host(name)
    if "error" in answer:
        return 0, [Text(f"{name}: {answer['error']}", style=_STYLES["critical"])]
    found = lines(answer, access, deployment.settings)
    if not every_metric:
        found = [line for line in found if line.severity or line.metric in _SHORT]
    found = [*found, *_troubles(answer)]
    worst = min((_rank(line) for line in found), default=len(_STYLES))
    return 1 + worst, [Text(_title(access, answer), style="bold"), _table(found)]


def _rank(line: Line) -> int:
    return list(_STYLES).index(line.severity)


def _troubles(answer: Mapping[str, Any]) -> Iterator[Line]:
    for unit in answer.get("units", ()):
        if unit["active"] != "active":
            yield Line(metric="unit", of=unit["unit"], value=unit["active"], severity="critical")
    for problem in answer.get("missing", ()):
        yield Line(metric="not known", of=problem, value="", severity="warning")


def _table(found: Sequence[Line]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for line in sorted(found, key=_rank):
        row = (line.severity, line.metric, line.of, line.value)
        table.add_row(*map(Text, row), style=_STYLES[line.severity])
    return table


def _title(access: HostAccess, answer: Mapping[str, Any]) -> str:
    release = answer.get("release")
    live = f"release {release}"
    if release != access.release_id:
        live += f" (the stack pushed {access.release_id})"
    parts = [access.name, live]
    if answer.get("kumomta"):
        parts.append(f"KumoMTA {answer['kumomta']}")
    if answer.get("draining"):
        parts.append(since(answer["draining"]))
    return ", ".join(parts)


def lines(answer: Mapping[str, Any], access: HostAccess, settings: Settings) -> list[Line]:
    """In the order of the metrics table; unknown metrics come last."""
    order = {metric.name: place for place, metric in enumerate(load().metrics)}
    flows = {metric.name for metric in load().metrics if metric.kind == "flow"}
    seconds = answer.get("flow_seconds") or 0.0
    found = sorted(answer.get("metrics", ()), key=lambda one: order.get(one["name"], len(order)))
    result = []
    for one in found:
        value = number(one["value"], one["unit"])
        if one["name"] in flows:
            value = f"{60 * one['value'] / seconds:.1f} a minute" if seconds else "not known yet"
        result.append(
            Line(
                metric=one["name"],
                of=" ".join(one["dimensions"].values()),
                value=value,
                severity=severity(one["name"], one["value"], access, settings),
            )
        )
    return result


def severity(name: str, value: float, access: HostAccess, settings: Settings) -> str:
    """Of the worst alarm whose limit this state exceeds; CloudWatch judges flows."""
    metric = next((metric for metric in load().metrics if metric.name == name), None)
    if metric is None or metric.kind == "flow":
        return ""
    value = abs(value) if metric.absolute else value
    over = {
        alarm.severity
        for alarm in load().alarms
        if access.role in alarm.hosts and _judges(alarm, name) and _over(alarm, value, settings)
    }
    return next((level for level in ("critical", "warning") if level in over), "")


def _judges(alarm: Alarm, name: str) -> bool:
    reads = alarm.read.values()
    by_itself = alarm.expression is None or alarm.each
    return by_itself and any(
        read.metric == name and read.statistic != "SampleCount" for read in reads
    )


def _over(alarm: Alarm, value: float, settings: Settings) -> bool:
    limit = threshold_of(alarm, settings)
    return value < limit if alarm.is_ == "below" else value > limit


def number(value: float, unit: str) -> str:
    """The value for people to read."""
    if unit == "Percent":
        return f"{value:.1f} %"
    if unit == "Bytes":
        power = 0
        while value >= 1024 and power < len(_BYTES) - 1:
            value, power = value / 1024, power + 1
        return f"{value:.1f} {_BYTES[power]}"
    if unit == "Seconds":
        return duration(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
