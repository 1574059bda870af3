"""A stack file is read at once: every problem together, each at its place."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from policy.settings import Settings, SettingsError, load
from policy.settings.problems import nearest
from policy.settings.reading import keys_of_settings
from policy.settings.secret_values import SECRET_KEYS
from tests.policy.settings.good import GOOD, Raw, changed, problems, read, setting

SMALLEST: Raw = {
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.7/32"]},
    "webhook": {"url": "https://app.example.com/events"},
    "domains": ["example.net"],
}


def keys(raw: Raw, directory: Path = Path("nowhere")) -> set[str]:
    return {problem.key for problem in problems(raw, directory)}


def test_five_settings_are_enough() -> None:
    settings = read(SMALLEST)
    assert settings.injection_host == "mta.mail.example.com"
    assert settings.ehlo(settings.source("proxy-default")) == "out1.mail.example.com"
    assert settings.brand("default").pool == "shared-default"
    assert settings.takes_reports()


def test_what_was_read_survives_a_round_trip_through_json() -> None:
    settings = read(GOOD)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    assert Settings.model_validate_json(settings.model_dump_json(by_alias=True)) == settings


def test_a_number_or_truth_value_may_come_as_text() -> None:
    """Pulumi hands every plain value over as text."""
    settings = read({**SMALLEST, "elasticIpQuota": "7", "protect": "false"})
    assert (settings.elastic_ip_quota, settings.protect) == (7, False)


def test_every_problem_is_reported_together() -> None:
    raw = changed(
        setting("webhook.url", "http://app.example.com/"),
        setting("domains[2]", "EXAMPLE.com"),
        setting("domains[3]", {"name": "b.example", "brnd": "x"}),
        setting("operators.cidrs", ["0.0.0.0/0"]),
        setting("logs", {"keepGib": "x"}),
        setting("network", {"subnets": ["10.8.0.0/24", "10.8.0.0/24"]}),
        setting("elasticIpQuota", 1),
        setting("zon", 1),
        setting("webhookToken", "plain-text"),
        setting("previousInjectionToken", SecretStr("short")),
    )
    assert keys(raw) == {
        "ping8-mail:webhook.url",
        "ping8-mail:domains[2].name",
        "ping8-mail:domains[3].brnd",
        "ping8-mail:operators.cidrs[0]",
        "ping8-mail:logs.keepGib",
        "ping8-mail:network.subnets[1]",
        "ping8-mail:elasticIpQuota",
        "ping8-mail:zon",
        "ping8-mail:webhookToken",
        "ping8-mail:previousInjectionToken",
    }


FAULTS = {
    "ping8-mail:webhook.maxEventAge": ("webhook.maxEventAge", "1d"),
    "ping8-mail:sources[1].ehlo": ("sources[1].ehlo", "out.example.org"),
    "ping8-mail:pools[1].sources.out-9": ("pools[1].sources.out-9", 1),
    "ping8-mail:domains[0].dkim.bits": ("domains[0].dkim.bits", 512),
    "ping8-mail:network.cidr": ("network.cidr", "10.8.0.0/99"),
    "ping8-mail:logs.keepGib": ("logs.keepGib", 49),
    "ping8-mail:certificate.email": ("certificate.email", "nobody"),
    "ping8-mail:shaping.warmUp.out-7": (
        "shaping.warmUp",
        {"out-7": {"start": "2026-12-01", "daily": [1]}},
    ),
    "ping8-mail:tags.aws:a": ("tags", {"aws:a": "b"}),
    "ping8-mail:kumomta.version": ("kumomta.version", "2025.01.01-00000000"),
}


@hypothesis_settings(deadline=None)
@given(st.sets(st.sampled_from(sorted(FAULTS)), min_size=1))
def test_no_fault_hides_another(chosen: set[str]) -> None:
    raw = changed(*(setting(*FAULTS[key]) for key in chosen))
    assert keys(raw) == chosen


def test_a_fault_in_one_element_leaves_the_others_judged_at_their_own_index() -> None:
    raw = changed(
        setting("domains[0].dkim", {"bitz": 1}),
        setting("domains[2]", "news.example.net"),
        setting("sources[0].allocationId", "none"),
        setting("sources[1].ehlo", "out.example.org"),
    )
    assert keys(raw) == {
        "ping8-mail:domains[0].dkim.bitz",
        "ping8-mail:domains[2].name",
        "ping8-mail:sources[0].allocationId",
        "ping8-mail:sources[1].ehlo",
    }


def test_a_misspelt_list_does_not_make_what_names_its_elements_wrong() -> None:
    raw = changed()
    raw["sorces"] = raw.pop("sources")
    assert keys(raw) == {"ping8-mail:sorces"}


def test_the_message_has_a_line_for_each_problem_with_key_value_and_fix() -> None:
    raw = {**SMALLEST, "elasticIpQuota": 1, "push": "never"}
    with pytest.raises(SettingsError) as caught:
        read(raw)
    head, *lines = str(caught.value).splitlines()
    assert head == "2 problems in the settings; nothing was changed:"
    assert lines[0].startswith("  - ping8-mail:push = never: use one of: changes, always")
    assert lines[1].startswith("  - ping8-mail:elasticIpQuota = 1: 2 are needed")


@pytest.mark.parametrize("region", [None, "", "frankfurt"])
def test_the_region_is_asked_for_under_its_own_key(region: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        load(SMALLEST, environment="test", region=region, directory=Path("nowhere"))
    assert [problem.key for problem in caught.value.problems] == ["aws:region"]


def test_a_stack_name_that_cannot_name_resources_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        load(SMALLEST, environment="Prod_1", region="eu-west-1", directory=Path("nowhere"))
    assert "the stack's name = Prod_1" in str(caught.value)


def test_a_stack_name_that_elasticache_does_not_take_has_one_node() -> None:
    place: dict[str, Any] = {"region": "eu-west-1", "directory": Path("nowhere")}
    load(SMALLEST, environment="a--b", **place)
    several = {**SMALLEST, "elasticIpQuota": 20, "mta": {"nodes": 2}}
    load(several, environment="a-b", **place)
    with pytest.raises(SettingsError, match="two hyphens in a row"):
        load(several, environment="a--b", **place)


@hypothesis_settings(deadline=None)
@given(st.sampled_from(sorted({*keys_of_settings(), *SECRET_KEYS})), st.data())
def test_a_key_with_one_letter_missing_finds_the_right_one(key: str, data: st.DataObject) -> None:
    missing = data.draw(st.integers(1, len(key) - 1))
    misspelt = key[:missing] + key[missing + 1 :]
    words = {*keys_of_settings(), *SECRET_KEYS}
    if misspelt not in words:
        assert nearest(misspelt, words) == key


def test_python_names_are_found_too() -> None:
    assert nearest("elastic_ip_quota", keys_of_settings()) == "elasticIpQuota"
    assert nearest("elastic-ip-quota", keys_of_settings()) == "elasticIpQuota"
