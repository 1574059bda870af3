"""Writes docs/alarms.md from the table.

Run it after a change of the table: `python -m policy.metrics.reference`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from policy.metrics.cost import costs, shared
from policy.metrics.model import Alarm, Table, load
from policy.metrics.plan import period_of, threshold_of
from policy.settings import Settings

TARGET = Path(__file__).resolve().parents[2] / "docs" / "alarms.md"

_EXAMPLE = {
    "environment": "example",
    "region": "eu-central-1",
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/api/kumo/events"},
}

_INTRODUCTION = """\
# Metrics and alarms

Generated from `policy/metrics/table.yaml`; change it there, then run
`python -m policy.metrics.reference`.

On each host, `ping8-metrics.timer` measures kumod or the proxy and the system, and reports to
CloudWatch in one call, in the namespace `{namespace}`, with the dimensions `Environment` and
`Host`. `ping8 status --stack NAME` shows the same metrics; `--watch` keeps it live.

- The service runs with low priority and a time limit, one run at a time, and sends kumod a few
  requests over loopback. Mail never waits for it.
- If CloudWatch cannot be reached, the run ends with one line in the journal. Only the sums of
  flows are kept, and sent by the next run that succeeds.
- The number of providers is limited: {providers}; all others together are `other`.
- The age of the oldest message is that of the oldest one in a sample of the queues, by the
  time in its id. It is never too high.
- With the transport `outbox`, the number of pending events is an estimate from the size of the
  segments.
- `hours_until_full` extrapolates the last two hours linearly. Logs up to `logs.keepGib` do not
  count as growth.

## Settings

Thresholds are under `alarms` in the stack file (`docs/settings.md`). `alarms.maintenance: true`
mutes every alarm, including the automatic recovery by EC2. With `alarms.enabled: false` there are
no alarms and no dashboard, and nothing is sent. Alarms go by e-mail to `operators.emails`, each of
whom must confirm AWS's first message, or to the topic in `alarms.topic`.

## Price

USD per month beyond the free tier: {metric} per metric, {alarm_metric} for each metric that an
alarm reads, {composite} for the composite alarm, {dashboard} for the dashboard, {thousand} for
a thousand calls. For an environment with one source on one proxy host:

| host | metrics, at most | alarms | metrics read by them | calls | USD a month |
|---|---|---|---|---|---|
"""


def text() -> str:
    """The whole document."""
    table, settings = load(), Settings.model_validate(_EXAMPLE)
    prices = table.prices
    introduction = _INTRODUCTION.format(
        namespace=table.namespace,
        providers=", ".join(f"`{name}`" for name in table.providers),
        metric=f"{prices.metric:.2f}",
        alarm_metric=f"{prices.alarm_metric:.2f}",
        composite=f"{prices.composite:.2f}",
        dashboard=f"{prices.dashboard:.2f}",
        thousand=f"{1000 * prices.request:.2f}",
    )
    sections = (
        introduction + "".join(_prices(settings)),
        "\n## Alarms\n\n" + "".join(_alarms(table, settings)),
        "\n## Metrics\n\n" + "".join(_metrics(table)),
    )
    return "".join(sections)


def _prices(settings: Settings) -> Iterator[str]:
    found = costs(settings)
    for cost in found:
        cells = (cost.metrics, cost.alarms, cost.alarm_metrics, cost.requests)
        yield f"| {cost.host} | {' | '.join(map(str, cells))} | {cost.usd:.2f} |\n"
    total = sum(cost.usd for cost in found) + shared(settings)
    yield f"| composite and dashboard |  | 1 |  |  | {shared(settings):.2f} |\n"
    yield f"| **together** |  |  |  |  | **{total:.2f}** |\n"
    source = settings.sources[0].model_copy(update={"name": "another"})
    larger = settings.model_copy(update={"sources": (*settings.sources, source)})
    each = _usd(larger) - _usd(settings)
    yield f"\nEach further source adds up to {each:.2f}: metrics and shares by provider.\n"
    two, three = (
        Settings.model_validate({**_EXAMPLE, "mta": {"nodes": nodes}}) for nodes in (2, 3)
    )
    second, third = _usd(two) - _usd(settings), _usd(three) - _usd(two)
    yield f"A second MTA host adds {second:.2f}, with the load balancer's alarms; "
    yield f"each further one about {third:.2f}.\n"


def _usd(settings: Settings) -> float:
    return sum(cost.usd for cost in costs(settings)) + shared(settings)


def _alarms(table: Table, settings: Settings) -> Iterator[str]:
    yield "Names in AWS: `ping8-<environment>-<host>-<alarm>`, then volume, or provider and "
    yield "source. The load balancer counts as the host `balancer`.\n\n"
    composite, zone = table.composite, table.lost_zone
    of = ", ".join(f"`{name}`" for name in composite.any)
    yield f"**`{composite.name}`** is the one to page for: {of} on any host. {composite.means}\n\n"
    yield f"**`{zone.name}`**, with several nodes, for each subnet with several hosts: "
    yield f"`{zone.all}` on all of them. {zone.means} {zone.do}\n\n"
    yield "| alarm | severity | on | when | for | no data | what it means | what to do |\n"
    yield "|---|---|---|---|---|---|---|---|\n"
    for alarm in table.alarms:
        cells = (
            f"`{alarm.name}`",
            alarm.severity,
            _where(alarm),
            _when(alarm, settings),
            f"{alarm.periods} of {period_of(alarm, settings) // 60} min",
            {"missing": "insufficient", "notBreaching": "fine", "breaching": "alarm"}[
                alarm.missing
            ],
            _words(alarm.means),
            _words(alarm.do) + (f" EC2 does: {alarm.action}." if alarm.action else ""),
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


_PLACES = {"mta": "MTA host", "proxy": "proxy hosts", "balancer": "load balancer"}


def _where(alarm: Alarm) -> str:
    hosts = ", ".join(_PLACES[place] for place in alarm.hosts)
    by = f", each {' and '.join(alarm.by)}" if alarm.by else ""
    reasons = {
        None: "",
        "shipping": ", when logs are shipped",
        "outbox": ", with the outbox",
        "nodes": ", with several nodes",
        "automation": ", with automation",
        "proxies": ", with several proxy hosts",
    }
    return hosts + by + reasons[alarm.only]


def _when(alarm: Alarm, settings: Settings) -> str:
    reads = [f"`{read.name}`" for read in alarm.read.values()]
    sign = {"below": "<", "above": ">", "at-least": "≥"}[alarm.is_]
    threshold = f"{threshold_of(alarm, settings):g}"
    setting = f" (`{_camel(alarm.limit)}`)" if isinstance(alarm.limit, str) else ""
    what = f"{alarm.read[next(iter(alarm.read))].statistic} of {reads[0]}"
    if alarm.expression:
        what = f"`{_words(_readable(alarm))}`"
    return f"{what} {sign} {threshold}{setting}"


def _readable(alarm: Alarm) -> str:
    """The expression over names of metrics; missing values count as 0."""
    text = re.sub(r"FILL\((\w+), 0\)", r"\1", alarm.expression or "")
    names = {identity: read.name for identity, read in alarm.read.items()}
    return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), text)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return "".join((first, *(part.capitalize() for part in rest)))


def _words(text: str) -> str:
    """Fields in braces under the settings' names."""
    letters = {"volume": "V", "provider": "P", "source": "S"}
    return re.sub(r"\{(\w+)\}", lambda field: letters.get(field[1], _camel(field[1])), text)


def _metrics(table: Table) -> Iterator[str]:
    yield "| metric | unit | on | for each | kind | meaning |\n|---|---|---|---|---|---|\n"
    for metric in table.metrics:
        hosts = ", ".join(metric.hosts)
        cells = (f"`{metric.name}`", metric.unit, hosts, ", ".join(metric.by), metric.kind)
        yield f"| {' | '.join(cells)} | {metric.means} |\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
