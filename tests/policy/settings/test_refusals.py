"""One test for each refusal: a single change to good values, the key that is named, the fix."""

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from policy.settings import Settings
from policy.settings.checks import CHECKS, Check
from policy.settings.problems import Finding, key_of
from tests.policy.settings import (
    refusals_domains,
    refusals_egress,
    refusals_hosts,
    refusals_operation,
    refusals_values,
)
from tests.policy.settings.good import GOOD, changed, problems, setting

REFUSALS = {
    **refusals_values.REFUSALS,
    **refusals_egress.REFUSALS,
    **refusals_domains.REFUSALS,
    **refusals_hosts.REFUSALS,
    **refusals_operation.REFUSALS,
}


@pytest.mark.parametrize("name", REFUSALS)
def test_it_is_refused_with_its_key_and_its_fix(name: str) -> None:
    changes, key, fix = REFUSALS[name]
    found = problems(changed(*(setting(path, value) for path, value in changes.items())))
    wanted = [problem for problem in found if problem.key == f"ping8-mail:{key}"]
    assert wanted, f"{key} is not among {[str(problem) for problem in found]}"
    assert any(fix in problem.fix for problem in wanted), [str(problem) for problem in wanted]


def test_every_rule_has_a_refusal_that_it_alone_brings_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: set[str] = set()
    for changes, key, _ in REFUSALS.values():
        raw = changed(*(setting(path, value) for path, value in changes.items()))
        found: list[tuple[str, str]] = []
        heard_checks = [_heard(rule, found) for rule in CHECKS]
        monkeypatch.setattr(sys.modules["policy.settings.load"], "CHECKS", heard_checks)
        problems(raw)
        heard |= {rule for rule, path in found if path == key}
    # It reads the stack's name, which is the same here; see test_load.
    other = {"shared_limits_can_be_named"}
    assert {rule.rule.__name__ for rule in CHECKS} - heard == other


def _heard(check: Check, found: list[tuple[str, str]]) -> Check:
    def rule(settings: Settings) -> Iterator[Finding]:
        for finding in check.rule(settings):
            found.append((check.rule.__name__, key_of(finding.path)))
            yield finding

    return dataclasses.replace(check, rule=rule)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"domains[1].brand": "nws"}, "domains[1].brand"),
        ({"brands[1].pool": "nws"}, "brands[1].pool"),
        ({"pools[1].sources": {"out-3": 1}}, "pools[1].sources.out-3"),
        ({"sources[0].proxy": "prxy-1", "sources[1].proxy": "proxy1"}, "sources[0].proxy"),
    ],
)
def test_a_misspelt_name_is_not_also_reported_as_a_name_that_nothing_uses(
    changes: dict[str, Any], key: str
) -> None:
    found = problems(changed(*(setting(path, value) for path, value in changes.items())))
    assert len(found) == len(changes)
    assert found[0].key == f"ping8-mail:{key}"


def test_the_values_that_refusals_start_from_are_good() -> None:
    assert problems(GOOD) == ()


@pytest.mark.parametrize("key", ["zone", "operators", "webhook"])
def test_what_is_required_is_asked_for_with_its_meaning(key: str) -> None:
    raw = changed()
    del raw[key]
    (problem,) = problems(raw)
    assert problem.key == f"ping8-mail:{key}"
    assert problem.fix.startswith("it is required: ")


def test_unusual_settings_that_are_sound_are_accepted() -> None:
    accepted: list[dict[str, Any]] = [
        {"domains": [], "brands[1].isolated": False},
        {"operators.cidrs": ["10.0.0.0/8"]},
        {"sources[0].ehlo": "proxy-1"},
        {"sources[1].ehlo": "out2.eu.mail.example.com"},
        {"domains[0].feedback": "fbl.mail.example.com"},
        {"domains[0].bounce": "returns.example.com"},
        {"webhook.transport": "outbox", "webhook.batchSize": 200},
        {"webhook.url": "https://app.example.com:8443/a?b=c"},
        {"shaping.overrides": {"default": {"connection_limit": 5}, "gmail.com": {}}},
        {"proxies[0].instanceType": "z9g.huge", "proxies[0].architecture": "arm64"}
        | {"proxies[0].addressesPerInterface": 2},
        {"domains[0].spf.include": [f"s{i}.example.org" for i in range(9)]},
        {"certificate.kind": "self-signed"},
    ]
    for changes in accepted:
        raw = changed(*(setting(path, value) for path, value in changes.items()))
        assert problems(raw) == (), changes
