"""What a change of the settings touches, and what it leaves alone."""

from typing import Any

import pytest

from tests.components import shapes
from tests.components.program import Program, Registration, run

Inputs = dict[str, Any]


def inputs(program: Program) -> dict[str, Inputs]:
    """Inputs of every resource by URN, secrets included."""
    return {item.urn: dict(item.inputs) for item in program}


def difference(before: Program, after: Program) -> tuple[set[str], set[str], set[str]]:
    """Names of what a change adds, removes and changes."""
    old, new = inputs(before), inputs(after)

    def names(urns: set[str]) -> set[str]:
        return {urn.rpartition("::")[2] for urn in urns}

    changed = {urn for urn in old.keys() & new.keys() if old[urn] != new[urn]}
    return names(new.keys() - old.keys()), names(old.keys() - new.keys()), names(changed)


def kinds(items: tuple[Registration, ...], names: set[str]) -> list[str]:
    """Packages of the named resources."""
    return sorted(item.type.partition("/")[0] for item in items if item.name in names)


BEFORE: Inputs = dict(shapes.MANY_BRANDS)


def changes(**change: Any) -> tuple[set[str], set[str], set[str]]:
    """What a change of the environment with many brands adds, removes and changes."""
    return difference(
        shapes.program("many-brands"), run(BEFORE | change, environment="many-brands")
    )


@pytest.mark.parametrize(
    "domain",
    [
        {"name": "new.mail.example.com"},
        {"name": "new.example", "dkim": {"ed25519": True}},
        {
            "name": "new.mail.example.com",
            "dkim": {"ed25519": True},
            "spf": {"include": ["_spf.example.org"]},
        },
    ],
    ids=["in our zone", "DNS elsewhere, Ed25519", "all that a domain can have"],
)
def test_a_new_sender_domain_touches_its_own_resources_and_the_mta_release(
    domain: dict[str, Any],
) -> None:
    before = shapes.program("many-brands")
    after = run(BEFORE | {"domains": [*BEFORE["domains"], domain]}, environment="many-brands")
    added, removed, changed = difference(before, after)
    assert removed == set()
    assert changed == {"mail-release-mta-1-push"}
    assert all(domain["name"] in name for name in added)
    packages = kinds(after.registrations, added)
    assert packages.count("aws:route53") <= 7
    assert len(packages) - packages.count("aws:route53") <= 4


def test_only_a_separate_feedback_domain_makes_an_eighth_record() -> None:
    domain = {
        "name": "new.mail.example.com",
        "dkim": {"ed25519": True},
        "spf": {"include": ["_spf.example.org"]},
        "feedback": "complaints.new.mail.example.com",
    }
    after = run(BEFORE | {"domains": [*BEFORE["domains"], domain]}, environment="many-brands")
    added, _, _ = difference(shapes.program("many-brands"), after)
    assert kinds(after.registrations, added).count("aws:route53") == 8


def test_the_same_settings_again_change_nothing() -> None:
    assert changes() == (set(), set(), set())


@pytest.mark.parametrize(
    "change",
    [
        {"webhook": {"url": "https://other.example.com/events"}},
        {"brands": [dict(brand, maxAge="3d") for brand in BEFORE["brands"]]},
        {"shaping": {"overrides": {"gmail.com": {"connection_limit": 3}}}},
        {"reception": {"maxMessageMib": 20}},
    ],
    ids=["webhook URL", "brand", "shaping", "reception"],
)
def test_a_change_of_mail_settings_touches_the_mta_release_alone(change: Inputs) -> None:
    added, removed, changed = changes(**change)
    assert (added, removed, changed) == (set(), set(), {"mail-release-mta-1-push"})


def test_a_changed_token_touches_its_secret_and_the_mta_release_alone() -> None:
    tokens = ["a-Token-of-0123456789-characters-enough", "b-Token-of-0123456789-characters-enough"]
    before, after = (run(BEFORE, {"webhookToken": token}) for token in tokens)
    _, _, changed = difference(before, after)
    assert changed == {"mail-release-mta-1-push", "mail-credentials-webhook-token-version"}


def test_each_step_of_a_rotation_touches_only_what_it_must() -> None:
    """What `ping8 rotate dkim` writes, step by step, for the keys of a brand."""
    time = "2026-12-{:02}T02:30:00Z".format
    key, new = "mail-credentials-dkim-shop-s1", "20261210T023000Z"
    # The mocks have one RSA key for all, so only the record of the Ed25519 key shows the change.
    record = "mail-dns-txt-s1-ed.shop.dkim.mail.example.com"
    steps: list[tuple[Inputs, tuple[set[str], set[str], set[str]]]] = [
        ({"seen": {"s2": time(1)}}, (set(), set(), set())),
        ({"active": "s2", "seen": {"s2": time(2)}}, (set(), set(), {"mail-release-mta-1-push"})),
        ({"since": {"s2": time(3)}}, (set(), set(), set())),
        (
            {"made": {"s1": time(10)}},
            (
                {f"{key}-{new}", f"{key}-ed-{new}"},
                {key, f"{key}-ed"},
                {record, "mail-release-mta-1-push"},
            ),
        ),
        ({"seen": {"s2": time(2), "s1": time(11)}}, (set(), set(), set())),
        (
            {"active": "s1", "seen": {"s2": time(2), "s1": time(12)}},
            (set(), set(), {"mail-release-mta-1-push"}),
        ),
    ]
    domain = {"name": "x.example", "brand": "shop", "dkim": {"keys": "brand"}}
    state: Inputs = {"ed25519": True}
    before = run(_with_keys(domain, state))
    for written, touched in steps:
        state = {**state, **written}
        after = run(_with_keys(domain, state))
        assert difference(before, after) == touched, written
        before = after


def _with_keys(domain: Inputs, state: Inputs) -> Inputs:
    brands = [b | {"dkim": state} if b["name"] == "shop" else b for b in BEFORE["brands"]]
    return BEFORE | {"brands": brands, "domains": [*BEFORE["domains"], domain]}


@pytest.mark.parametrize("kind", ["injection", "webhook"])
def test_each_step_of_a_tokens_rotation_touches_the_token_its_secret_and_the_mta_release(
    kind: str,
) -> None:
    """The webhook's new token reaches the host only in the second step."""
    label = f"mail-credentials-{kind}-token"
    both = {"made": ["2026-12-01T02:30:00Z"], "keep": True}
    first = shapes.program("many-brands")
    second = run(BEFORE | {"tokens": {kind: both}}, environment="many-brands")
    third = run(BEFORE | {"tokens": {kind: both | {"keep": False}}}, environment="many-brands")
    push, new = "mail-release-mta-1-push", f"{label}-20261201T023000Z"
    touched = {f"{label}-version", *({push} if kind == "injection" else ())}
    assert difference(first, second) == ({new}, set(), touched)
    assert difference(second, third) == (set(), {label}, {push})


def test_a_new_source_moves_no_other_source() -> None:
    source = {"name": "shop-2", "proxy": "proxy-1", "ehlo": "shop2"}
    change = {
        "sources": [*BEFORE["sources"], source],
        "pools": [
            *BEFORE["pools"][:1],
            {"name": "shop", "sources": {"shop-1": 1, "shop-2": 1}},
            BEFORE["pools"][2],
        ],
    }
    added, removed, changed = changes(**change)
    assert removed == set()
    assert all("shop-2" in name or "shop2" in name for name in added)
    assert changed == {
        "mail-proxy-1-interface",
        "mail-dns-txt-shop._spf.mail.example.com",
        "mail-release-proxy-1-push",
        "mail-release-mta-1-push",
        "mail-alarms-dashboard",
    }


def test_a_new_source_associates_the_other_secondary_addresses_again() -> None:
    """The real provider takes all secondary addresses off an interface whose list changes."""
    spare = {"name": "spare", "proxy": "proxy-1", "ehlo": "spare"}
    pools = [*BEFORE["pools"], {"name": "more", "sources": {"spare": 1}}]
    brands = [*BEFORE["brands"], {"name": "more", "pool": "more"}]
    domains = [*BEFORE["domains"], {"name": "more.mail.example.com", "brand": "more"}]
    after = run(
        BEFORE
        | {
            "sources": [*BEFORE["sources"], spare],
            "pools": pools,
            "brands": brands,
            "domains": domains,
        },
        environment="many-brands",
    )
    before = triggers(shapes.program("many-brands"))
    moved = {
        name for name, trigger in triggers(after).items() if before.get(name, trigger) != trigger
    }
    on_proxy = [s["name"] for s in BEFORE["sources"] if s["proxy"] == "proxy-1"]
    assert moved == {f"mail-address-{name}-association" for name in on_proxy[1:]}


def triggers(program: Program) -> dict[str, tuple[str, ...]]:
    """What has each association of an Elastic IP replaced when it changes."""
    return {
        item.name: item.replacement_trigger
        for item in program.registrations
        if item.type == "aws:ec2/eipAssociation:EipAssociation"
    }


def test_a_source_that_moves_to_another_proxy_host_keeps_its_elastic_ip() -> None:
    proxies = [*BEFORE["proxies"], {"name": "proxy-2"}]
    sources = [*BEFORE["sources"][:2], BEFORE["sources"][2] | {"proxy": "proxy-2"}]
    spare = {"name": "spare", "proxy": "proxy-2", "ehlo": "spare"}
    pools = [{"name": "shared-default", "sources": {"proxy-default": 1, "spare": 1}}]
    common = {"proxies": proxies, "pools": [*pools, *BEFORE["pools"][1:]]}
    before = run(BEFORE | common | {"sources": [*BEFORE["sources"], spare]})
    after = run(BEFORE | common | {"sources": [*sources, spare]})
    added, removed, _ = difference(before, after)
    assert {name for name in added | removed if name.endswith("-eip")} == set()


def test_the_sources_of_a_dead_proxy_host_move_with_their_elastic_ips_when_it_is_removed() -> None:
    second = {"proxies": [*BEFORE["proxies"], {"name": "proxy-2", "subnet": 1}]}
    spare = {"name": "spare", "proxy": "proxy-2", "ehlo": "spare"}
    pools = [{"name": "shared-default", "sources": {"proxy-default": 1, "spare": 1}}]
    common = BEFORE | {"pools": [*pools, *BEFORE["pools"][1:]]}
    before = run(common | second | {"sources": [*BEFORE["sources"], spare]})
    moved = [source | {"proxy": "proxy-2"} for source in BEFORE["sources"]]
    alone = {"proxies": second["proxies"][1:], "sources": [spare, *moved]}
    added, removed, _ = difference(before, run(common | alone))
    assert "mail-proxy-1-instance" in removed
    assert {name for name in added | removed if name.endswith(("-eip", "-ptr"))} == set()


def test_a_replaced_instance_is_pushed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes.program("many-brands")
    monkeypatch.setattr("tests.components.cloud.SEED", "another instance")
    _, _, changed = changes()
    assert {"mail-release-mta-1-push", "mail-release-proxy-1-push"} <= changed


def test_push_always_pushes_each_time() -> None:
    program = BEFORE | {"push": "always"}
    _, _, changed = difference(run(program), run(program))
    assert changed == {"mail-release-mta-1-push", "mail-release-proxy-1-push"}


def test_operators_keys_change_releases_and_replace_no_host() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAzBrkHjQgVeDMuaBvkmQddm5yqCoicEIMlMoXu8KWiy me"
    operators = BEFORE["operators"] | {"sshKeys": [key]}
    _, _, changed = changes(operators=operators)
    assert changed == {"mail-release-mta-1-push", "mail-release-proxy-1-push"}
