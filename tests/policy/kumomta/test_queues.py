"""Queues and paths: retry, expiry, shaping, and the warm-up that follows the calendar."""

import datetime
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from policy.settings import Settings
from standins.kumod import FakeClock, FakeResolver, SmtpAttempt, SmtpReply
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
    """The settings of the egress path that the last message of a source took."""
    paths = [q.path for q in mta.kumod.scheduler.ready.values() if q.source["name"] == source]
    return dict(paths[-1])


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


TWO = [
    {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
    {"name": "fresh", "proxy": "proxy-1", "ehlo": "out2"},
]
TWO_PROXIES = {
    "proxies": [{"name": "proxy-1"}, {"name": "proxy-2"}],
    "sources": [TWO[0], TWO[1] | {"proxy": "proxy-2"}],
    "pools": [{"name": "shared-default", "sources": {"proxy-default": 1, "fresh": 1}}],
}
SELECTION, MESSAGES = "additional_source_selection_rates", "additional_message_rate_throttles"


def warming(sources: dict[str, int], daily: list[int], warm_up: tuple[str, ...]) -> Settings:
    """Settings with one pool, of whose sources some warm up from 1 December on."""
    schedule = {"start": "2026-12-01", "daily": daily}
    return settings(
        sources=[source for source in TWO if source["name"] in sources],
        pools=[{"name": "shared-default", "sources": sources}],
        shaping={"warmUp": dict.fromkeys(warm_up, schedule)},
    )


@pytest.mark.parametrize(
    ("today", "rate"),
    [
        ("2026-11-25", "250/day,max_burst=250"),
        ("2026-12-01", "250/day,max_burst=250"),
        ("2026-12-02", "500/day,max_burst=500"),
        ("2026-12-03", "1/day,max_burst=1"),
        ("2026-12-04", None),
        ("2027-02-01", None),
    ],
)
def test_warm_up_limits_a_source_by_the_calendar(host: Host, today: str, rate: str | None) -> None:
    chosen = warming({"proxy-default": 1}, [500, 1000, 1], ("proxy-default",))
    mta = host(settings=chosen, options={"clock": at(today)}).start()
    mta.inject()
    mta.kumod.run()
    expected = {} if rate is None else {"ping8-warm-up-proxy-default": rate}
    assert (path_of(mta).get(MESSAGES) or {}) == expected
    assert not path_of(mta).get(SELECTION)


def test_a_new_day_brings_its_limit_without_a_restart(host: Host) -> None:
    chosen = warming({"proxy-default": 1}, [500, 1000], ("proxy-default",))
    mta = host(settings=chosen, options={"clock": at("2026-12-01")}).start()
    mta.inject()
    mta.kumod.run()
    assert path_of(mta)["refresh_interval"] == "1h"
    assert path_of(mta)["refresh_strategy"] == "Ttl", "the helper's own waits for changed files"
    mta.wait(DAY)
    mta.inject()
    mta.kumod.run()
    assert path_of(mta)[MESSAGES] == {"ping8-warm-up-proxy-default": "500/day,max_burst=500"}


@pytest.mark.parametrize("warm_up", [("proxy-default",), ("proxy-default", "fresh")])
def test_a_pool_of_addresses_that_warm_up_sends_its_whole_quota_and_fails_no_attempt(
    host: Host, warm_up: tuple[str, ...]
) -> None:
    chosen = warming(dict.fromkeys(warm_up, 1), [12, 12], warm_up)
    mta = host(settings=chosen, options={"clock": at("2026-12-01")}).start()
    for number in range(40):
        mta.inject(recipients=(f"u@domain-{number}.example",))
    mta.wait(DAY - 60)
    used = [attempt.source for attempt in mta.sent]
    for name in warm_up:
        assert 11 <= used.count(name) <= 12, "all of the quota, and no more"
    assert mta.kumod.records_of("TransientFailure") == []
    mta.wait(DAY)
    assert len(mta.sent) == 40, "then there is no limit"


def test_an_address_that_warms_up_beside_a_warm_one_fills_its_quota_and_the_rest_overflows(
    host: Host,
) -> None:
    chosen = warming({"proxy-default": 1, "fresh": 1}, [12, 12], ("fresh",))
    mta = host(settings=chosen, options={"clock": at("2026-12-01")}).start()
    for number in range(47):
        mta.inject(recipients=(f"u@domain-{number}.example",))
        mta.wait(1800)
    used = [attempt.source for attempt in mta.sent]
    assert len(used) == 47, "what the new address may not send, the warm one does"
    assert 11 <= used.count("fresh") <= 12
    assert not path_of(mta, "proxy-default").get(SELECTION)


@pytest.mark.parametrize("each", [1, 3])
def test_a_pools_shares_hold_over_many_domains_with_little_mail_each(host: Host, each: int) -> None:
    chosen = settings(
        sources=TWO,
        pools=[{"name": "shared-default", "sources": {"proxy-default": 300, "fresh": 100}}],
    )
    mta = host(settings=chosen).start()
    for number in range(60):
        for _ in range(each):
            mta.inject(recipients=(f"u@domain-{number}.example",))
    mta.kumod.run()
    used = [attempt.source for attempt in mta.sent]
    assert 0.18 <= used.count("fresh") / len(used) <= 0.32
    assert {event["egress_pool"] for event in mta.events("Delivery")} == {"shared-default"}


def test_a_pools_shares_hold_within_one_domain(host: Host) -> None:
    chosen = settings(
        sources=TWO, pools=[{"name": "shared-default", "sources": {"proxy-default": 3, "fresh": 1}}]
    )
    mta = host(settings=chosen).start()
    for _ in range(40):
        mta.inject()
    mta.kumod.run()
    assert [attempt.source for attempt in mta.sent].count("fresh") == 10


def test_mail_into_a_private_network_waits_and_never_connects(host: Host) -> None:
    resolver = FakeResolver(
        a={"mx.inside.example": ["10.8.0.7"], "mx.local.example": ["127.0.0.1"]}
    )
    mta = host(resolver=resolver).start()
    for domain in ("inside.example", "[169.254.169.254]", "local.example"):
        mta.inject(recipients=(f"u@{domain}",))
    mta.kumod.run()
    assert mta.sent == []
    assert [r["queue"] for r in mta.kumod.records_of("TransientFailure")] == [
        "default@inside.example",
        "default@[169.254.169.254]",
    ]
    assert len(mta.kumod.records_of("Bounce")) == 1


@pytest.mark.parametrize("broken", ["brands.json", "egress.json", "sources.json", "webhook.json"])
def test_no_broken_data_file_makes_a_handler_fail_or_loses_mail(host: Host, broken: str) -> None:
    mta = host().start()
    path = mta.path(f"/opt/kumomta/etc/policy/data/{broken}")
    whole = path.read_text()
    path.write_text("{")
    mta.kumod.advance(11)
    assert mta.inject()["success_count"] == 1
    mta.kumod.run()
    assert mta.kumod.records_of("Bounce") == []
    path.write_text(whole)
    mta.kumod.advance(11)
    mta.wait(3600)
    assert len(mta.sent) == 1


def test_validation_names_a_warm_up_of_an_unknown_source(host: Host) -> None:
    mta = host()
    path = mta.path("/opt/kumomta/etc/policy/data/warm_up.json")
    path.write_text(
        '{"files": [], "refresh": "1h", '
        '"sources": {"typo": {"start": "2026-12-01", "daily": [1], "pools": []}, '
        '"proxy-default": {"start": "soon", "daily": [1], "pools": []}}}'
    )
    result = mta.kumod.validate()
    assert result.exit == 1
    assert "warm-up of typo: there is no such source" in result.output
    assert "warm-up of proxy-default: " in result.output


@pytest.mark.parametrize(
    ("chosen", "pause"), [({}, None), (TWO_PROXIES, {"duration": "2m"})], ids=["one", "two"]
)
def test_a_source_pauses_with_its_proxy_if_another_proxy_carries_its_mail(
    host: Host, chosen: dict[str, Any], pause: dict[str, str] | None
) -> None:
    mta = host(settings=settings(**chosen)).start()
    mta.inject()
    mta.kumod.run()
    (ready,) = [one for name, one in mta.kumod.scheduler.ready.items() if "ping8" not in name]
    assert ready.source.get("suspend_when_proxy_unhealthy") == pause
