"""The dashboard of an environment as CloudWatch's JSON, from the same table as the alarms."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policy.metrics import Planned, load, planned_alarms
from policy.metrics.model import Alarm, Dimension, Widget
from policy.metrics.plan import threshold_of, values, wanted
from policy.settings import Settings

_COLUMNS, _HEIGHT = 24, 6
_MOST_ALARMS = 100
"""Alarms in one widget."""

_MOST_EXPRESSIONS = 60
"""Metrics in one widget: CloudWatch draws 500, but nobody can read that many lines."""

_MOST_METRICS = 2500
"""Metrics and expressions in one dashboard, also those that are not drawn."""

_FLOW_PERIOD, _STATE_PERIOD = 300, 60
_COLORS = {"warning": "#ff9900", "critical": "#d62728"}
_WORD = re.compile(r"[a-z]+\b(?!\()")

Json = dict[str, Any]


def dashboard_body(settings: Settings, alarm_arns: Sequence[str]) -> str:
    """The dashboard, with a widget of the alarms' states on top.

    With many hosts, a widget that does not fit into CloudWatch's limit is left out, and named.
    """
    widgets = [_states(alarm_arns)]
    x, y = 0, widgets[0]["height"]
    room, left_out = _MOST_METRICS, []
    for widget in load().widgets:
        properties = _properties(widget, settings)
        if not (properties["metrics"] and wanted(widget.only, settings)):
            continue
        if len(properties["metrics"]) > room:
            left_out.append(widget.title)
            continue
        room -= len(properties["metrics"])
        if x + widget.width > _COLUMNS:
            x, y = 0, y + _HEIGHT
        place = {"x": x, "y": y, "width": widget.width, "height": _HEIGHT}
        widgets.append({"type": "metric", **place, "properties": properties})
        x += widget.width
    if left_out:
        widgets.append(_note(left_out, y + _HEIGHT))
    return json.dumps({"widgets": widgets}, sort_keys=True)


def query_dimensions(settings: Settings, host: str, own: Mapping[Dimension, str]) -> dict[str, str]:
    """Dimensions of a host's metric, as the host sends them."""
    common = {"Environment": settings.environment, "Host": host}
    return common | {name.capitalize(): value for name, value in own.items()}


def _states(arns: Sequence[str]) -> Json:
    return {
        "type": "alarm",
        "x": 0,
        "y": 0,
        "width": _COLUMNS,
        "height": 4,
        "properties": {"title": "Alarms", "alarms": list(arns[:_MOST_ALARMS])},
    }


def _note(titles: Sequence[str], y: int) -> Json:
    text = f"Not drawn, since a dashboard has at most {_MOST_METRICS:,} metrics: "
    place = {"x": 0, "y": y, "width": _COLUMNS, "height": 2}
    return {"type": "text", **place, "properties": {"markdown": text + ", ".join(titles)}}


def _properties(widget: Widget, settings: Settings) -> Json:
    if widget.alarm:
        metrics, period = _expressions(widget.alarm, settings)
        # The expressions name their own metrics; the statistic is each metric's own.
        statistic = "Sum"
    else:
        statistic = widget.statistic or "Maximum"
        period = _FLOW_PERIOD if statistic == "Sum" else _STATE_PERIOD
        metrics = list(_lines(widget, settings, statistic, period))
    axis: Json = {"showUnits": False}
    if widget.range:
        axis |= {"min": widget.range[0], "max": widget.range[1]}
    return {
        "title": widget.title,
        "view": "timeSeries",
        "region": settings.region,
        "stat": statistic,
        "period": period,
        "metrics": metrics,
        "yAxis": {"left": axis},
        "annotations": {"horizontal": thresholds(widget, settings)},
    }


def _lines(widget: Widget, settings: Settings, statistic: str, period: int) -> Iterator[list[Any]]:
    for number, name in enumerate(widget.metrics):
        if widget.over:
            yield from _over(name, widget.over, settings, statistic, period)
        else:
            yield from _by_host(widget, name, settings, f"m{number}x")


def _by_host(widget: Widget, name: str, settings: Settings, prefix: str) -> Iterator[list[Any]]:
    """A line for each host, and their sum if the widget draws one."""
    metric = load().metric(name)
    hosts = {host: role for host, role in settings.roles.items() if widget.host in ("any", role)}
    named = f"{name} " if len(widget.metrics) > 1 else ""
    ids: list[str] = []
    for host, role in hosts.items():
        if role not in metric.hosts:
            continue
        for own in values(metric.by, role, settings):
            label = " ".join((*((host,) if len(hosts) > 1 else ()), *own.values()))
            dimensions = query_dimensions(settings, host, own)
            pairs = [part for pair in dimensions.items() for part in pair]
            options: Json = {"label": f"{named}{label}".strip() or name}
            if len(hosts) > 1 and (widget.sum or widget.last):
                ids.append(f"{prefix}{len(ids)}")
                options |= {"id": ids[-1], "visible": not widget.last}
            yield [load().namespace, name, *pairs, options]
            if widget.last and ids:
                again = {"expression": f"FILL({ids[-1]}, REPEAT)", "label": label}
                yield [again | {"id": f"{ids[-1]}last"}]
    if widget.sum and ids:
        lines = (f"{one}last" if widget.last else f"FILL({one}, 0)" for one in ids)
        total = {"expression": f"SUM([{', '.join(lines)}])", "label": f"{named}sum"}
        yield [total | {"id": f"{prefix}sum"}]


def _over(
    name: str, over: Dimension, settings: Settings, statistic: str, period: int
) -> Iterator[list[Any]]:
    """A line for each value of the dimension, over all hosts."""
    metric = load().metric(name)
    names = ",".join(["Environment", "Host", *(part.capitalize() for part in metric.by)])
    found = values((over,), "mta", settings)[:_MOST_EXPRESSIONS]
    for number, own in enumerate(found):
        dimensions = {"Environment": settings.environment, over.capitalize(): own[over]}
        terms = " ".join(f'{key}="{value}"' for key, value in dimensions.items())
        schema = f"{{{load().namespace},{names}}}"
        search = f"SEARCH('{schema} MetricName=\"{name}\" {terms}', '{statistic}', {period})"
        yield [{"expression": f"SUM({search})", "id": f"e{number}", "label": own[over]}]


def _expressions(alarm: str, settings: Settings) -> tuple[list[list[Any]], int]:
    """Each alarm's own expression over the metrics that it reads, which stay hidden."""
    planned = [one for one in planned_alarms(settings) if one.alarm.name == alarm]
    several = len({one.host for one in planned}) > 1

    def label(one: Planned) -> str:
        host = (one.host,) if several or not one.dimensions else ()
        return " ".join((*host, *one.dimensions.values()))

    metrics: list[list[Any]] = []
    for number, one in enumerate(planned[:_MOST_EXPRESSIONS]):
        for identity, read in one.alarm.read.items():
            dimensions = query_dimensions(settings, one.host, one.dimensions)
            pairs = [part for pair in dimensions.items() for part in pair]
            options = {
                "id": f"{identity}{number}",
                "stat": read.statistic,
                "period": one.period,
                "visible": False,
            }
            metrics.append([load().namespace, read.metric, *pairs, options])
        metrics.append(
            [{"expression": _numbered(one, number), "label": label(one), "id": f"e{number}"}]
        )
    return metrics, planned[0].period if planned else _FLOW_PERIOD


def _numbered(planned: Planned, number: int) -> str:
    """The expression with identifiers of its own in the widget."""
    known = planned.alarm.read
    return _WORD.sub(
        lambda word: f"{word[0]}{number}" if word[0] in known else word[0],
        planned.expression or "",
    )


def thresholds(widget: Widget, settings: Settings) -> list[Json]:
    """The limits of the alarms on the widget's metrics."""
    found = []
    for alarm in load().alarms:
        if _is_drawn(alarm, widget):
            line = {
                "label": alarm.name,
                "value": threshold_of(alarm, settings),
                "color": _COLORS[alarm.severity],
                "fill": "below" if alarm.is_ == "below" else "above",
            }
            found.append(line)
    return found


def _is_drawn(alarm: Alarm, widget: Widget) -> bool:
    if widget.alarm or alarm.name in widget.lines:
        return alarm.name in (widget.alarm, *widget.lines)
    reads = list(alarm.read.values())
    return (
        len(reads) == 1
        and reads[0].metric in widget.metrics
        and reads[0].statistic != "SampleCount"
        and (widget.host == "any" or widget.host in alarm.hosts)
    )
