"""The table of metrics holds together, and becomes alarms with the environment's numbers."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from hostagent.metrics import configuration as host_configuration
from hostagent.metrics import disks
from policy.metrics import load, planned_alarms, reference
from policy.metrics.cost import costs, shared
from policy.metrics.model import OTHER, TABLE, Table
from policy.metrics.plan import VOLUMES, threshold_of
from policy.render.metrics import configuration
from tests.examples import LARGE, SMALL, settings_of

_IDENTIFIER = re.compile(r"[a-z][a-zA-Z0-9_]*")


def table(change: Any = None) -> Table:
    raw = copy.deepcopy(yaml.safe_load(TABLE.read_text("utf-8")))
    if change:
        change(raw)
    return Table.model_validate(raw)


def test_the_document_is_current() -> None:
    said = "run: python -m policy.metrics.reference"
    assert reference.TARGET.read_text("utf-8") == reference.text(), said


def test_every_metric_is_drawn_or_alarmed() -> None:
    with pytest.raises(ValidationError, match="sent but not used"):
        table(lambda raw: raw["widgets"].clear())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw["alarms"][0]["read"]["space"].update(metric="nothing"), "no such metrics"),
        (lambda raw: raw["widgets"][0]["metrics"].append("nothing"), "no such metrics"),
        (lambda raw: raw["composite"]["any"].append("nothing"), "no such alarms"),
        (lambda raw: raw["alarms"][0].update(by=[]), "dimensions are not those"),
        (lambda raw: raw["alarms"][0].update(expression=None), "an expression"),
        (lambda raw: raw["alarms"][0].update(colour="red"), "colour"),
    ],
    ids=[
        "metric of an alarm",
        "metric of a widget",
        "composite",
        "dimensions",
        "expression",
        "key",
    ],
)
def test_a_name_that_is_nowhere_else_is_refused(change: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        table(change)


def test_every_metric_that_can_be_trouble_has_an_alarm() -> None:
    """Flows by themselves and numbers for the picture are no trouble; a reboot is a choice.

    A suspension is automation at work, and a paused source is its proxy's alarm.
    """
    watched = {read.metric for alarm in load().alarms for read in alarm.read.values()}
    assert {metric.name for metric in load().metrics} - watched == {
        "connections_denied",
        "messages_bounced",
        "messages_deferred",
        "outbox_bytes",
        "outbox_segments",
        "proxy_accepted",
        "proxy_connections",
        "proxy_failed",
        "reboot_pending",
        "release",
        "sites_suspended",
        "sources_paused",
    }


def test_every_alarm_says_what_it_means_and_what_to_do_within_what_aws_takes() -> None:
    for planned in planned_alarms(settings_of(LARGE)):
        assert "What to do: " in planned.description
        assert len(planned.description) <= 1024
        assert "{" not in planned.description
        assert "{" not in (planned.expression or "")


def test_every_identifier_of_an_expression_is_one_that_it_reads() -> None:
    functions = {"MIN", "FILL", "IF", "AND", "OR"}
    for alarm in load().alarms:
        for identity in alarm.read:
            assert _IDENTIFIER.fullmatch(identity)
        words = set(re.findall(r"[A-Za-z_]+", re.sub(r"\{\w+\}", "0", alarm.expression or "")))
        assert words - functions <= set(alarm.read)


def test_limits_are_the_settings() -> None:
    chosen = settings_of(
        SMALL,
        alarms={
            "disk_free_critical": 12,
            "queue_age": "2h",
            "full_within": "36h",
            "share_minimum": 7,
        },
    )
    assert threshold_of(load().alarm("disk-critical"), chosen) == 12
    assert threshold_of(load().alarm("queue-age"), chosen) == 7200
    assert threshold_of(load().alarm("disk-forecast"), chosen) == 36
    (share, *_) = (one for one in planned_alarms(chosen) if one.alarm.name == "bounce-share")
    assert "< 7," in (share.expression or "")


@pytest.mark.parametrize("interval", ["1m", "90s", "5m"])
def test_no_period_is_shorter_than_hosts_send(interval: str) -> None:
    chosen = settings_of(SMALL, alarms={"interval": interval})
    seconds = {"1m": 60, "90s": 120, "5m": 300}[interval]
    for planned in planned_alarms(chosen):
        assert planned.period % 60 == 0
        if all(read.metric for read in planned.alarm.read.values()):
            assert planned.period >= seconds
        # CloudWatch looks at a day at most.
        assert planned.period * planned.alarm.periods <= 86400


def test_each_volume_provider_and_source_has_its_own_alarms() -> None:
    keys = [planned.key for planned in planned_alarms(settings_of(LARGE))]
    assert len(set(keys)) == len(keys)
    assert {
        "mta-1-disk-critical-spool",
        "mta-1-disk-critical-logs",
        "mta-1-disk-critical-root",
    } <= {*keys}
    shares = [key for key in keys if "bounce-share" in key]
    assert len(shares) == 3 * (len(load().providers) + 1)


def test_an_alarm_for_silence_is_the_only_one_that_no_data_sets_off() -> None:
    assert [alarm.name for alarm in load().alarms if alarm.missing == "breaching"] == ["no-data"]


def test_the_agent_and_the_table_say_other_for_the_same() -> None:
    assert host_configuration.OTHER == OTHER


def test_the_forecast_for_no_growth_is_over_every_limit() -> None:
    longest = settings_of(SMALL, alarms={"full_within": "29d"})
    assert threshold_of(load().alarm("disk-forecast"), longest) < disks.FOREVER
    assert f"{disks.FOREVER:.0f} if" in load().metric("hours_until_full").means


def test_a_host_reads_what_is_rendered_for_it(tmp_path: Path) -> None:
    for role, host in (("mta", "mta-1"), ("proxy", "proxy-1")):
        path = tmp_path / f"{host}.json"
        path.write_text(json.dumps(configuration(settings_of(LARGE), role, host)))  # type: ignore[arg-type]
        config = host_configuration.read(path)
        assert (config.role, config.host, config.environment) == (role, host, "large")
        assert set(config.volumes) == set(VOLUMES[role])  # type: ignore[index]


def test_the_price_is_that_of_the_most_that_can_be_sent() -> None:
    mta, proxy = costs(settings_of(SMALL))
    assert (mta.metrics, proxy.metrics) == (58, 15)
    usd = mta.metrics * 0.30 + mta.alarm_metrics * 0.10 + mta.requests * 0.00001
    assert mta.usd == pytest.approx(usd)
    assert mta.usd + proxy.usd + shared(settings_of(SMALL)) < 35


@pytest.mark.parametrize("nodes", [2, 5])
def test_every_node_costs_the_same_and_the_balancers_metrics_are_free(nodes: int) -> None:
    chosen = settings_of(SMALL, mta={"nodes": nodes})
    found = {cost.host: cost for cost in costs(chosen)}
    mta = [found[host].usd for host in chosen.mta.host_names]
    assert len(mta) == nodes
    assert len({*mta}) == 1
    assert (found["balancer"].metrics, found["balancer"].alarm_metrics) == (0, 2)
    # The first zone has several hosts, and with five nodes so has the second.
    zones = {2: 1, 5: 2}[nodes]
    assert shared(chosen) == pytest.approx(shared(settings_of(SMALL)) + 0.50 * zones)
    assert mta[0] < 35


def test_maintenance_and_the_rest_of_the_settings_change_no_number_of_metrics() -> None:
    quiet = settings_of(SMALL, alarms={"maintenance": True})
    assert costs(quiet) == costs(settings_of(SMALL))
