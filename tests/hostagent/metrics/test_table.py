"""What the timer sends is what the table says, whatever kumod knows yet."""

import json
from pathlib import Path

import pytest

from policy.metrics import load
from policy.metrics.plan import metrics_of, values
from policy.settings import Settings
from tests.examples import LARGE, settings_of
from tests.hostagent.metrics.conftest import Make
from tests.hostagent.metrics.station import Key, Server, Station, captured

SHIPPING = {"logs": {"ship": True, "bucket": "example-logs"}}


LOG_HOOK = settings_of(LARGE | {"webhook": {"url": "https://app.example.com/"}})


def expected(role: str, settings: Settings, *, sparse: bool) -> set[Key]:
    """Every metric of the table; by provider and source only those with mail, if `sparse`."""
    return {
        (metric.name, tuple(own.values()))
        for metric in metrics_of(role, settings)  # type: ignore[arg-type]
        for own in values(metric.by, role, settings)  # type: ignore[arg-type]
        if not (sparse and "provider" in metric.by)
    }


def test_a_fresh_kumod_yields_every_metric_of_the_table(mta: Make) -> None:
    here = mta()
    assert here.run() == 0
    assert set(here.metrics()) == expected("mta", LOG_HOOK, sparse=True)


def test_a_busy_kumod_yields_the_same_metrics_and_flows_by_provider(
    mta: Make, kumod: Server
) -> None:
    here = mta()
    assert here.run() == 0
    kumod.metrics = captured("busy")
    assert here.run() == 0
    found = set(here.metrics())
    table = expected("mta", LOG_HOOK, sparse=False)
    other = {key for key in found if key[1][1:] == ("other",)}
    assert found - other <= table
    assert expected("mta", LOG_HOOK, sparse=True) <= found
    assert {key[0] for key in other} == {"bounced"}


@pytest.mark.parametrize("missing", sorted(captured("busy")))
def test_every_metric_of_kumod_may_be_absent(missing: str, mta: Make, kumod: Server) -> None:
    """All but one of the metrics are still sent, and none turns into another."""
    here = mta()
    kumod.metrics = captured("busy")
    here.run()
    whole = here.metrics()
    kumod.metrics = {name: value for name, value in captured("busy").items() if name != missing}
    assert here.run() == 0
    rest = here.metrics()
    assert {"memory_used_percent"} >= {key[0] for key in set(whole) - set(rest) if not key[1]}
    assert all(value >= 0 for value in rest.values())


def test_a_proxy_host_sends_its_part_of_the_table(proxy: Station) -> None:
    assert proxy.run() == 0
    assert set(proxy.metrics()) == expected("proxy", settings_of(LARGE), sparse=False)


def test_a_proxy_without_counters_sends_the_same(proxy: Station, kumod: Server) -> None:
    kumod.metrics = {}
    assert proxy.run() == 0
    assert set(proxy.metrics()) == expected("proxy", settings_of(LARGE), sparse=False)


def test_shipping_adds_its_metric(mta: Make, tmp_path: Path) -> None:
    receipts = tmp_path / "shipped.json"
    receipts.write_text(json.dumps({"waiting": 3, "segments": {}}))
    here = mta(SHIPPING, shipped=str(receipts))
    assert here.run() == 0
    assert here.metrics()["segments_unshipped", ()] == 3


def test_what_is_not_in_the_table_is_not_sent(mta: Make) -> None:
    here = mta()
    here.run()
    names = {name for name, _ in here.metrics()}
    assert names <= {metric.name for metric in load().metrics}
    assert "disk_total_bytes" not in names


def test_nothing_is_sent_where_the_settings_make_no_alarms(mta: Make) -> None:
    here = mta({"alarms": {"enabled": False}})
    assert here.run() == 0
    assert here.sent.bodies == []
