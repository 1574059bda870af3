"""Queues and paths: retry, expiry, shaping, and the warm-up that follows the calendar."""

import datetime
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from standins.kumod import FakeClock, SmtpAttempt, SmtpReply
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import Mta

Host = Callable[..., Mta]
DAY = 86_400


def later(_attempt: SmtpAttempt) -> SmtpReply:
    """A mail server that defers everything."""
    return SmtpReply(code=451, content="4.7.1 later")


def at(date: str) -> FakeClock:
    return FakeClock(datetime.datetime.fromisoformat(f"{date}T09:00:00+00:00").timestamp())


def path_of(mta: Mta, source: str = "proxy-default") -> dict[str, Any]:
    """The settings of the egress path that the last message took."""
    (path,) = [q.path for q in mta.kumod.scheduler.ready.values() if q.source["name"] == source]
    return dict(path)


def test_the_first_retry_comes_after_five_minutes_and_waits_at_most_a_day(host: Host) -> None:
    mta = host(exchanger=later).start()
    mta.inject()
    mta.wait(8 * DAY)
    times = [record["timestamp"] for record in mta.kumod.records_of("TransientFailure")]
    waits = [after - before for before, after in pairwise(times)]
    assert 300 <= waits[0] < 330
    assert max(waits) <= DAY + 60
    assert len(mta.kumod.records_of("Expiration")) == 1


def test_retry_and_expiry_are_the_brands(host: Host) -> None:
    brand = {"name": "default", "pool": "shared-default"}
    chosen = settings(brands=[brand | {"retryInterval": "1m", "maxAge": "1h"}])
    mta = host(settings=chosen, exchanger=later).start()
    mta.inject()
    mta.wait(90)
    assert len(mta.kumod.records_of("TransientFailure")) == 2
    mta.wait(3600)
    (expired,) = mta.kumod.records_of("Expiration")
    assert expired["timestamp"] - expired["created"] <= 3600
    assert mta.events("Expiration")[0]["headers"]["X-PING8-Task-Id"] == "task-2"


def test_mail_of_a_brand_that_was_removed_still_goes_out(host: Host) -> None:
    mta = host(exchanger=later).start()
    mta.inject()
    mta.kumod.run()
    path = mta.path("/opt/kumomta/etc/policy/data/brands.json")
    path.write_text("{}")
    mta.exchanger = lambda _attempt: SmtpReply(code=250, content="ok")
    mta.kumod.advance(11)
    mta.wait(3600)
    assert mta.events("Delivery")[0]["egress_pool"] == "shared-default"


def test_a_path_is_what_the_contract_says_with_the_overrides_over_it(host: Host) -> None:
    overrides = {
        "example.net": {
            "mx_rollup": False,
            "connection_limit": 7,
            "sources": {"proxy-default": {"max_message_rate": "5/min"}},
        }
    }
    mta = host(settings=settings(shaping={"overrides": overrides})).start()
    mta.inject()
    mta.kumod.run()
    path = path_of(mta)
    assert path["enable_tls"] == "OpportunisticInsecure"
    assert path["ip_lookup_strategy"] == "Ipv4Only"
    assert path["smtp_port"] == 25
    assert path["connection_limit"] in (7, "7")
    assert path["max_message_rate"] == "5/min"


def test_without_community_rules_only_ours_apply(host: Host) -> None:
    mta = host(settings=settings(shaping={"community": False})).start()
    mta.inject()
    mta.kumod.run()
    assert path_of(mta)["max_connection_rate"] == "100/min"


@pytest.mark.parametrize(
    ("today", "limit"),
    [
        ("2026-11-25", 500),
        ("2026-12-01", 500),
        ("2026-12-02", 1000),
        ("2026-12-03", 2000),
        ("2026-12-04", None),
        ("2027-02-01", None),
    ],
)
def test_warm_up_limits_a_source_by_the_calendar(host: Host, today: str, limit: int | None) -> None:
    warm_up = {"proxy-default": {"start": "2026-12-01", "daily": [500, 1000, 2000]}}
    mta = host(settings=settings(shaping={"warmUp": warm_up}), options={"clock": at(today)}).start()
    mta.inject()
    mta.kumod.run()
    rates = path_of(mta).get("additional_source_selection_rates") or {}
    expected = {} if limit is None else {"ping8-warm-up-proxy-default": f"{limit}/day,max_burst=1"}
    assert rates == expected


def test_a_new_day_brings_its_limit_without_a_restart(host: Host) -> None:
    warm_up = {"proxy-default": {"start": "2026-12-01", "daily": [500, 1000]}}
    chosen = settings(shaping={"warmUp": warm_up, "refresh": "1h"})
    mta = host(settings=chosen, options={"clock": at("2026-12-01")}).start()
    mta.inject()
    mta.kumod.run()
    assert path_of(mta)["refresh_interval"] == "1h"
    assert path_of(mta)["refresh_strategy"] == "Ttl", "the helper's own waits for changed files"
    mta.wait(DAY)
    mta.inject()
    mta.kumod.run()
    rates = path_of(mta)["additional_source_selection_rates"]
    assert rates == {"ping8-warm-up-proxy-default": "1000/day,max_burst=1"}


def test_a_source_that_is_warm_has_no_limit_beside_one_that_warms_up(host: Host) -> None:
    chosen = settings(
        sources=[
            {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
            {"name": "fresh", "proxy": "proxy-1", "ehlo": "out2"},
        ],
        pools=[{"name": "shared-default", "sources": {"proxy-default": 1, "fresh": 1}}],
        shaping={"warmUp": {"fresh": {"start": "2026-12-01", "daily": [1]}}},
    )
    mta = host(settings=chosen, options={"clock": at("2026-12-01")}).start()
    for _ in range(12):
        mta.inject()
        mta.kumod.run()
    used = [attempt.source for attempt in mta.sent]
    assert len(used) == 12, "what the new address may not send, the warm one does"
    assert used.count("fresh") <= 2
    fresh, warm = path_of(mta, "fresh"), path_of(mta, "proxy-default")
    assert fresh["additional_source_selection_rates"] == {
        "ping8-warm-up-fresh": "1/day,max_burst=1"
    }
    assert not warm.get("additional_source_selection_rates")


def test_validation_names_a_warm_up_of_an_unknown_source(host: Host) -> None:
    mta = host()
    path = mta.path("/opt/kumomta/etc/policy/data/warm_up.json")
    path.write_text(
        '{"community": true, "refresh": "1h", '
        '"sources": {"typo": {"start": "2026-12-01", "daily": [1]}, '
        '"proxy-default": {"start": "soon", "daily": [1]}}}'
    )
    result = mta.kumod.validate()
    assert result.exit == 1
    assert "warm-up of typo: there is no such source" in result.output
    assert "warm-up of proxy-default: " in result.output
