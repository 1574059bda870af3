"""Examples left in place are found, and what an operator may have forgotten."""

import copy
import datetime
from typing import Any

import pytest

from policy.settings import Settings, SettingsError, advice
from tests.policy.settings.good import changed, read, setting

TODAY = datetime.date(2026, 11, 28)

OWN: dict[str, Any] = {
    "zone": "mail.ping8.app",
    "webhook.url": "https://app.ping8.app/events",
    "operators": {
        "cidrs": ["8.8.8.0/28"],
        "emails": ["ops@ping8.app"],
        "sshKeys": [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f x"
        ],
    },
    "sources[0].allocationId": "eipalloc-0aaaaaaaaaaaaaaaa",
    "sources[1].allocationId": "eipalloc-0bbbbbbbbbbbbbbbb",
    "domains[0]": {"name": "ping8.app", "zone": "ping8.app"},
    "kumomta": {
        "version": "2026.09.29-b90d8bc1",
        "pin": {
            "version": "2026.09.29-b90d8bc1",
            "source": ["deb [arch=any] https://packages.ping8.app/ stable main"],
            "fingerprint": "0123456789ABCDEF0123456789ABCDEF01234567",
            "digests": {"arm64": "ab" * 32, "amd64": "cd" * 32},
        },
    },
    "domains[1].name": "news.ping8.app",
}
EXAMPLE_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAzBrkHjQgVeDMuaBvkmQddm5yqCoicEIMlMoXu8KWiy a"


def with_own(changes: dict[str, Any]) -> Settings:
    """Settings of somebody who has put their own values everywhere, with these changes."""
    values = copy.deepcopy({**OWN, **changes})
    return read(changed(*(setting(path, value) for path, value in values.items())))


def test_a_key_that_is_not_pinned_and_an_ubuntu_at_its_end_are_named() -> None:
    unpinned = {"kumomta": {"version": "2026.09.29-b90d8bc1"}}
    assert ["run `ping8 kumomta pin 2026.09.29-b90d8bc1`" in line for line in warned(unpinned)] == [
        True
    ]
    (line,) = warned({"os": {"release": "24.04"}})
    assert "get the packages for 22.04" in line
    end = datetime.date(2027, 1, 1)
    (line,) = advice.warnings(with_own({}), end)
    assert "its security updates end in 2027; set os.pro, or a newer release" in line
    assert advice.warnings(with_own({"os": {"pro": True}}), end) == ()


def warned(changes: dict[str, Any]) -> tuple[str, ...]:
    return advice.warnings(with_own(changes), TODAY)


def test_own_values_are_without_advice() -> None:
    settings = with_own({})
    assert advice.examples_left(settings) == ()
    assert advice.warnings(settings, TODAY) == ()


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("zone", "mail.example.com", "zone"),
        ("webhook.url", "https://app.example.com:8443/x", "webhook.url"),
        ("domains[1].name", "news.example.org", "domains[1]"),
        ("domains[1].name", "news.example", "domains[1]"),
        ("operators.cidrs", ["198.51.100.0/28"], "operators.cidrs[0]"),
        ("operators.emails", ["me@example.com"], "operators.emails[0]"),
        ("operators.sshKeys", [EXAMPLE_KEY], "operators.sshKeys[0]"),
        ("sources[0].allocationId", "eipalloc-0123456789abcdef0", "sources[0].allocationId"),
    ],
)
def test_an_example_left_in_place_is_found(path: str, value: object, key: str) -> None:
    (problem,) = advice.examples_left(with_own({path: value}))
    assert problem.key == f"ping8-mail:{key}"


def test_a_name_that_only_contains_an_example_is_none() -> None:
    assert advice.examples_left(with_own({"domains[1].name": "myexample.com"})) == ()


def test_a_trial_may_have_examples() -> None:
    settings = with_own({"zone": "mail.ping8.test", "operators": {"cidrs": ["198.51.100.1"]}})
    assert advice.examples_left(settings) == ()
    assert advice.warnings(settings, TODAY) == ()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("operators.emails", [], "nobody is notified of alarms"),
        ("operators.sshKeys", [], "no operator has a key"),
        ("sources[1].allocationId", None, "no limit for out-2"),
        (
            "shaping.warmUp",
            {"out-2": {"start": "2026-11-20", "daily": [1, 2]}},
            "shaping.warmUp.out-2: it has ended",
        ),
        ("operators.cidrs", ["10.1.0.0/16"], "VPN or peering"),
    ],
)
def test_what_is_probably_forgotten_is_a_warning(path: str, value: object, words: str) -> None:
    (line,) = advice.warnings(with_own({path: value}), TODAY)
    assert words in line


def test_a_warm_up_that_runs_is_no_warning() -> None:
    plan = {"out-2": {"start": "2026-11-20", "daily": [1] * 9}}
    assert advice.warnings(with_own({"shaping.warmUp": plan}), TODAY) == ()


def unpublished(count: int, when: str) -> Settings:
    names = [f"d{number}.ping8.app" for number in range(count)]
    domains = [{"name": name, "whenUnpublished": when} for name in names]
    settings = with_own({"domains": [*domains, {"name": "ready.ping8.app", "brand": "news"}]})
    return settings.model_copy(update={"unpublished": frozenset(names)})


@pytest.mark.parametrize(
    ("when", "effect"),
    [("hold", "injection is refused for now"), ("sign-anyway", "receivers cannot verify mail")],
)
def test_domains_that_dns_does_not_have_are_named_and_counted(when: str, effect: str) -> None:
    (line,) = advice.warnings(unpublished(12, when), TODAY)
    assert f"whenUnpublished = {when}: {effect}" in line
    assert "d9.ping8.app and 2 more, as DNS does not have" in line
    assert "run `ping8 domains check`" in line
    assert "ready.ping8.app" not in line
    advice.refuse_unpublished(unpublished(12, when))


def test_an_update_is_refused_for_domains_that_dns_does_not_have() -> None:
    with pytest.raises(SettingsError) as refused:
        advice.refuse_unpublished(unpublished(10, "refuse"))
    (problem,) = refused.value.problems
    assert (problem.key, problem.value) == ("ping8-mail:domains[].whenUnpublished", "refuse")
    assert "d9.ping8.app: run `ping8 domains check`" in problem.fix
    with pytest.raises(SettingsError, match=r"d9\.ping8\.app and 1,991 more: run"):
        advice.refuse_unpublished(unpublished(2001, "refuse"))
    assert advice.warnings(unpublished(10, "refuse"), TODAY) == ()


def brands_warned(*proxies: dict[str, Any]) -> tuple[str, ...]:
    """Advice for two brands, whose pools have two sources on the first and the last proxy."""
    changes = {
        "proxies": list(proxies),
        "sources[1].proxy": proxies[-1]["name"],
        "pools[0].sources": {"proxy-default": 1, "out-2": 1},
        "brands[1].isolated": False,
    }
    return warned(changes)


def test_a_brand_whose_mail_leaves_through_one_proxy_host_is_named_if_there_are_others() -> None:
    first, second = {"name": "proxy-1"}, {"name": "proxy-2", "subnet": 1}
    assert brands_warned(first) == ()
    (line,) = brands_warned(first, second)
    assert "brands.news: its mail waits while proxy-2 is down" in line


def test_a_brand_whose_proxy_hosts_share_a_zone_is_named() -> None:
    lines = brands_warned({"name": "proxy-1"}, {"name": "proxy-2"})
    assert "brands.default: proxy-1, proxy-2 are in one availability zone" in lines[0]
    assert "subnet 1 to pool shared-default" in lines[0]
