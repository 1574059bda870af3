"""The plan of records."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.dns import plan
from policy.dns.plan import KeyOf, Record, SpfOf, Values
from policy.settings import Settings

BASE: dict[str, Any] = {
    "environment": "test",
    "region": "eu-central-1",
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/events"},
}


def settings(*domains: dict[str, Any], **changes: Any) -> Settings:
    """A small environment with these sender domains."""
    return Settings.model_validate({**BASE, "domains": list(domains), **changes})


def found(records: tuple[Record, ...], name: str, kind: str) -> Record:
    """The one record set of that name and type."""
    (record,) = (item for item in records if (item.name, item.type) == (name, kind))
    return record


TWO_BRANDS: dict[str, Any] = {
    "sources": [
        {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
        {"name": "shop-1", "proxy": "proxy-1", "ehlo": "out2.mail.example.com"},
    ],
    "pools": [
        {"name": "shared-default", "sources": {"proxy-default": 1}},
        {"name": "shop", "sources": {"shop-1": 1}},
    ],
    "brands": [
        {"name": "default", "pool": "shared-default"},
        {"name": "shop", "pool": "shop", "isolated": True},
    ],
}


def test_every_host_and_ehlo_name_has_an_address() -> None:
    assert plan.host_names(settings(**TWO_BRANDS)) == {
        "mta-1": ("mta-1.mail.example.com",),
        "proxy-default": ("out1.mail.example.com", "proxy-1.mail.example.com"),
        "shop-1": ("out2.mail.example.com",),
    }


def test_a_proxy_host_whose_name_is_an_ehlo_name_has_one_address_record() -> None:
    source = {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "proxy-1"}
    names = plan.host_names(settings(sources=[source]))
    assert names["proxy-default"] == ("proxy-1.mail.example.com",)


def test_each_brand_lists_its_own_sources_only() -> None:
    records = plan.mail_records(settings(**TWO_BRANDS))
    for brand, source in (("default", "proxy-default"), ("shop", "shop-1")):
        record = found(records, f"{brand}._spf.mail.example.com", "TXT")
        assert record.content == SpfOf(sources=(source,))


def test_an_ehlo_name_allows_only_its_own_address_to_send() -> None:
    record = found(plan.mail_records(settings(**TWO_BRANDS)), "out2.mail.example.com", "TXT")
    assert record.content == SpfOf(sources=("shop-1",))


def test_a_domain_of_ours_gets_keys_bounces_and_dmarc_in_its_zone() -> None:
    records = plan.mail_records(settings({"name": "example.net", "zone": "example.net"}))
    own = {(r.name, r.type): r.content for r in records if r.zone == "example.net"}
    assert own == {
        ("s1._domainkey.example.net", "TXT"): KeyOf(owner="example.net", selector="s1"),
        ("s2._domainkey.example.net", "TXT"): KeyOf(owner="example.net", selector="s2"),
        ("bounce.example.net", "CNAME"): Values(values=("default.bounce.mail.example.com",)),
        ("_dmarc.example.net", "TXT"): Values(values=("v=DMARC1; p=none",)),
    }


def test_nothing_is_created_under_the_names_of_an_owner_elsewhere() -> None:
    records = plan.mail_records(settings({"name": "customer.example"}))
    for record in records:
        assert (record.zone is None) == record.name.endswith("customer.example")


def test_an_owner_elsewhere_points_at_keys_and_bounces_in_our_zone() -> None:
    records = plan.mail_records(settings({"name": "customer.example"}))
    for selector in ("s1", "s2"):
        alias = found(records, f"{selector}._domainkey.customer.example", "CNAME")
        target = f"{selector}.customer.example.dkim.mail.example.com"
        assert alias.content == Values(values=(target,))
        key = found(records, target, "TXT")
        assert key.content == KeyOf(owner="customer.example", selector=selector)
    alias = found(records, "bounce.customer.example", "CNAME")
    target = "default.bounce.mail.example.com"
    assert alias.content == Values(values=(target,))
    exchanger = found(records, target, "MX")
    assert exchanger.content == Values(values=("10 mta-1.mail.example.com",))
    spf = found(records, target, "TXT")
    assert spf.content == Values(values=("v=spf1 include:default._spf.mail.example.com -all",))
    assert exchanger.zone == spf.zone == "mail.example.com"


def test_with_keys_of_the_brand_an_owner_elsewhere_costs_no_record() -> None:
    dkim = {"keys": "brand"}
    one = plan.mail_records(settings({"name": "a.example", "dkim": dkim}))
    two = plan.mail_records(
        settings({"name": "a.example", "dkim": dkim}, {"name": "b.example", "dkim": dkim})
    )
    assert [r for r in one if r.zone] == [r for r in two if r.zone]
    target = "s1.default.dkim.mail.example.com"
    for name in ("a.example", "b.example"):
        alias = found(two, f"s1._domainkey.{name}", "CNAME")
        assert (alias.content, alias.zone) == (Values(values=(target,)), None)
    assert found(two, target, "TXT").content == KeyOf(owner="default", selector="s1")


def test_with_keys_of_the_brand_a_domain_of_ours_has_aliases_and_dmarc_alone() -> None:
    domain = {"name": "example.net", "zone": "example.net", "dkim": {"keys": "brand"}}
    records = plan.mail_records(settings(domain))
    assert sorted((r.name, r.type) for r in records if r.zone == "example.net") == [
        ("_dmarc.example.net", "TXT"),
        ("bounce.example.net", "CNAME"),
        ("s1._domainkey.example.net", "CNAME"),
        ("s2._domainkey.example.net", "CNAME"),
    ]


def test_a_rotation_changes_no_record() -> None:
    before = plan.mail_records(settings({"name": "customer.example"}))
    after = plan.mail_records(settings({"name": "customer.example", "dkim": {"active": "s2"}}))
    assert [(r.name, r.type, r.content, r.zone) for r in before] == [
        (r.name, r.type, r.content, r.zone) for r in after
    ]


def test_spf_at_the_domain_itself_is_published_only_on_request_and_keeps_other_texts() -> None:
    plain = plan.mail_records(settings({"name": "example.net", "zone": "example.net"}))
    assert not [record for record in plain if record.name == "example.net"]
    spf = {"include": ["_spf.example.org"], "otherTxt": ["verification=1"]}
    asked = plan.mail_records(settings({"name": "example.net", "zone": "example.net", "spf": spf}))
    assert found(asked, "example.net", "TXT").content == Values(
        values=(
            "v=spf1 include:default._spf.mail.example.com include:_spf.example.org ~all",
            "verification=1",
        )
    )


def test_the_spf_record_that_a_domain_has_stays_whole_beside_ours() -> None:
    had = '"v=spf1 ip4:192.0.2.0/24 mx include:%{i}._ip.%{d}._spf.vendor" ".example ~all"'
    spf = {"record": had, "otherTxt": ['"say=\\"yes\\"\\; " "now"']}
    asked = plan.mail_records(settings({"name": "example.net", "zone": "example.net", "spf": spf}))
    assert found(asked, "example.net", "TXT").content == Values(
        values=(
            "v=spf1 include:default._spf.mail.example.com ip4:192.0.2.0/24 mx "
            "include:%{i}._ip.%{d}._spf.vendor.example ~all",
            'say="yes"; now',
        )
    )


def test_a_separate_feedback_domain_takes_mail_too() -> None:
    domain = {"name": "example.net", "zone": "example.net", "feedback": "fbl.example.net"}
    record = found(plan.mail_records(settings(domain)), "fbl.example.net", "MX")
    assert record.content == Values(values=("10 mta-1.mail.example.com",))


def test_two_records_that_contradict_each_other_are_refused() -> None:
    model = settings({"name": "x.mail.example.com", "spf": {"include": ["_spf.example.org"]}})
    clash = model.domains[0].model_copy(update={"name": "default._spf.mail.example.com"})
    with pytest.raises(plan.Conflict, match=r"default\._spf\.mail\.example\.com TXT .* twice"):
        plan.mail_records(model.model_copy(update={"domains": (clash,)}))


@pytest.mark.parametrize(
    ("report", "zone"),
    [("d@reports.mail.example.com", "mail.example.com"), ("d@elsewhere.example", None)],
)
def test_who_takes_reports_about_another_domain_consents_once(
    report: str, zone: str | None
) -> None:
    domains = [{"name": f"{n}.example", "dmarc": {"report": report}} for n in ("one", "two")]
    receiver = report.partition("@")[2]
    record = found(plan.mail_records(settings(*domains)), f"*._report._dmarc.{receiver}", "TXT")
    assert (record.content, record.zone) == (Values(values=("v=DMARC1",)), zone)


def test_a_domain_needs_no_consent_of_itself() -> None:
    domain = {"name": "news.example.net", "dmarc": {"report": "d@example.net"}}
    assert not [r for r in plan.mail_records(settings(domain)) if "_report" in r.name]


LABELS = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@given(st.lists(LABELS, unique=True, max_size=6), st.booleans(), LABELS)
def test_adding_a_sender_domain_adds_records_and_changes_none(
    labels: list[str], ed25519: bool, more: str
) -> None:
    domains = [{"name": f"{label}.example.net", "zone": "example.net"} for label in labels]
    new = {"name": f"{more}.example.org", "dkim": {"ed25519": ed25519}}
    before = plan.mail_records(settings(*domains))
    after = plan.mail_records(settings(*domains, new))
    assert set(before) < set(after)


@pytest.mark.parametrize(
    "where", [{"zone": "example.net"}, {}], ids=["in Route 53", "DNS elsewhere"]
)
def test_a_sender_domain_costs_at_most_seven_records_in_route_53(where: dict[str, str]) -> None:
    largest = {
        "name": "example.net",
        "dkim": {"ed25519": True},
        "spf": {"include": ["_spf.example.org"]},
        **where,
    }
    first = {"name": "first.mail.example.com"}
    before = [r for r in plan.mail_records(settings(first)) if r.zone]
    after = [r for r in plan.mail_records(settings(first, largest)) if r.zone]
    assert len(after) - len(before) <= 7


def test_names_that_dns_shows_once_are_never_an_alias_and_something_else() -> None:
    records = plan.mail_records(settings({"name": "customer.example", "dkim": {"ed25519": True}}))
    aliases = {record.name for record in records if record.type == "CNAME"}
    assert not aliases & {record.name for record in records if record.type != "CNAME"}


def test_a_record_goes_to_the_most_specific_zone() -> None:
    records = plan.mail_records(
        settings(
            {"name": "example.com", "zone": "example.com", "bounce": "returns.mail.example.com"},
            {"name": "news.mail.example.com", "zone": "example.com"},
            {"name": "shop.example.net", "dmarc": {"report": "dmarc@reports.example.com"}},
            {"name": "reports.example.com", "zone": "reports.example.com"},
        )
    )
    zones = {(item.name, item.type): item.zone for item in records}
    assert zones["returns.mail.example.com", "CNAME"] == "mail.example.com"
    assert zones["s1._domainkey.news.mail.example.com", "TXT"] == "mail.example.com"
    assert zones["*._report._dmarc.reports.example.com", "TXT"] == "reports.example.com"
    assert zones["_dmarc.example.com", "TXT"] == "example.com"
    assert zones["_dmarc.shop.example.net", "TXT"] is None


def test_the_owner_may_keep_the_dmarc_record() -> None:
    dmarc = {"publish": False, "report": "dmarc@example.net"}
    records = plan.mail_records(settings({"name": "shop.example.com", "dmarc": dmarc}))
    assert not [item.name for item in records if "_dmarc" in item.name]


@pytest.mark.parametrize(
    "domains",
    [
        [{"name": "a.example", "dkim": {"keys": "brand"}}, {"name": "b.mail.example.com"}],
        [{"name": "example.com", "dkim": {"keys": "brand"}}],
        [{"name": "a.example", "dkim": {"keys": "brand"}, "feedback": "fbl.a.example"}],
        [{"name": "a.example"}, {"name": "b.example", "zone": "b.example"}],
    ],
)
def test_made_records_are_those_of_all_that_have_a_zone(domains: list[dict[str, Any]]) -> None:
    chosen = settings(*domains)
    expected = tuple(record for record in plan.mail_records(chosen) if record.zone is not None)
    assert plan.made_records(chosen) == expected
