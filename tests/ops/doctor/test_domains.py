"""The doctor's look at sender domains, against real DNS answers."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import checkdmarc.utils
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ops.doctor.checks import domain_dkim, domain_dmarc, domain_held, domain_spf
from ops.doctor.finding import Finding, Status
from ops.doctor.resolver import LookupFailed, Resolver
from ops.stack import Deployment
from policy.settings.domains import SenderDomain
from tests.examples import SMALL
from tests.ops.doctor.case import case_of, found
from tests.ops.doctor.deployment import MTA_ADDRESS, deployment_of
from tests.ops.doctor.dns_server import closed_port, serving
from tests.ops.doctor.published import PUBLISHED, quoted, spf_zone

DMARC_CHECKS = ("domain.dmarc", "domain.alignment", "domain.report-address")
DMARC = {"policy": "quarantine", "report": "dmarc@example.com"}
Zone = dict[tuple[str, str], list[str]]


def deployment(**changes: Any) -> Deployment:
    """One sender domain whose DNS is in Route 53, unless it says otherwise."""
    domain = {"name": "example.com", "zone": "example.com", "dmarc": DMARC} | changes
    return deployment_of(SMALL, domains=[domain])


def domain_of(deployed: Deployment) -> SenderDomain:
    return deployed.settings.domains[0]


GOOD: Zone = {
    ("bounce.example.com", "MX"): ["10 mta.mail.example.com."],
    ("bounce.example.com", "TXT"): ['"v=spf1 include:default._spf.mail.example.com -all"'],
    ("default._spf.mail.example.com", "TXT"): ['"v=spf1 ip4:203.0.113.5 -all"'],
    ("mta.mail.example.com", "A"): [MTA_ADDRESS],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com"'],
    ("example.com", "SOA"): ["ns.example.com. host.example.com. 1 2 3 4 5"],
    ("example.com", "MX"): ["10 mta.mail.example.com."],
}


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    checkdmarc.utils.DNS_CACHE.clear()
    yield
    checkdmarc.utils.DNS_CACHE.clear()


def statuses(findings: list[Finding]) -> dict[str, Status]:
    return {finding.check: finding.status for finding in findings}


# Onboarding -------------------------------------------------------------------


@pytest.mark.parametrize(("when", "status"), [("hold", Status.FAIL), ("sign-anyway", Status.WARN)])
def test_a_domain_that_waits_for_its_records_is_found(when: str, status: Status) -> None:
    domain = {"name": "example.net", "whenUnpublished": when}
    deployed = deployment_of(SMALL, domains=[domain], unpublished=["example.net"])
    (finding,) = domain_held.held(domain_of(deployed), case_of(deployed, "127.0.0.1:1"))
    assert finding.status is status
    assert finding.fix == ("ping8 domains check --stack small --pages DIR && pulumi up -s small")
    ready = deployment_of(SMALL, domains=[domain])
    (finding,) = domain_held.held(domain_of(ready), case_of(ready, "127.0.0.1:1"))
    assert finding.status is Status.PASS


# SPF --------------------------------------------------------------------------


def spf_of(zone: Zone, /, **changes: Any) -> dict[str, Finding]:
    deployed = deployment(**changes)
    with serving(zone) as server:
        case = case_of(deployed, server)
        checks = (domain_spf.result, domain_spf.limits)
        return {f.check: f for check in checks for f in check(domain_of(deployed), case)}


def spf_statuses(zone: Zone, /, **changes: Any) -> tuple[Status, Status]:
    found = spf_of(zone, **changes)
    return found["domain.spf"].status, found["domain.spf-limits"].status


def test_spf_that_names_the_egress_address_passes() -> None:
    assert spf_statuses(GOOD) == (Status.PASS, Status.PASS)


def test_spf_that_names_the_mta_fails_alone_with_the_fix() -> None:
    zone = {**GOOD, ("default._spf.mail.example.com", "TXT"): [f'"v=spf1 ip4:{MTA_ADDRESS} -all"']}
    found = spf_of(zone)
    assert found["domain.spf"].status is Status.FAIL
    assert found["domain.spf"].fix == "pulumi up --refresh -s small"
    assert "203.0.113.5" in found["domain.spf"].expected
    assert found["domain.spf-limits"].status is Status.PASS


def test_an_external_owner_gets_the_record_to_publish() -> None:
    found = spf_of({}, zone=None)
    assert found["domain.spf"].fix == (
        "the owner of example.com publishes: "
        "bounce.example.com. 3600 IN CNAME default.bounce.mail.example.com."
    )


def test_two_spf_records_fail() -> None:
    zone = {**GOOD, ("bounce.example.com", "TXT"): ['"v=spf1 -all"', '"v=spf1 mx -all"']}
    assert spf_statuses(zone) == (Status.FAIL, Status.FAIL)


def test_no_spf_record_fails() -> None:
    zone = {**GOOD, ("bounce.example.com", "TXT"): ['"hello"']}
    assert spf_statuses(zone) == (Status.FAIL, Status.FAIL)


def test_eleven_look_ups_fail_by_the_limit_even_where_a_receiver_would_match_before() -> None:
    includes = " ".join(f"include:i{n}.example.com" for n in range(10))
    first, last = "include:default._spf.mail.example.com", f"{includes} -all"
    zone = {
        **GOOD,
        ("bounce.example.com", "TXT"): [f'"v=spf1 {first} " "{last}"'],
        **{(f"i{n}.example.com", "TXT"): ['"v=spf1 ip4:192.0.2.1 -all"'] for n in range(10)},
    }
    found = spf_of(zone)
    assert found["domain.spf"].status is Status.PASS
    assert found["domain.spf-limits"].status is Status.FAIL
    assert "11 look-ups" in found["domain.spf-limits"].saw


def test_three_void_look_ups_fail() -> None:
    record = '"v=spf1 a:n1.example.com a:n2.example.com a:n3.example.com ip4:203.0.113.5 -all"'
    zone = {**GOOD, ("bounce.example.com", "TXT"): [record]}
    found = spf_of(zone)
    assert found["domain.spf-limits"].status is Status.FAIL
    assert "3 void" in found["domain.spf-limits"].saw


def test_an_include_of_nothing_fails_with_its_name() -> None:
    zone = {**GOOD, ("bounce.example.com", "TXT"): ['"v=spf1 include:none.example.com -all"']}
    found = spf_of(zone)
    assert found["domain.spf"].status is Status.FAIL
    assert "none.example.com" in found["domain.spf-limits"].saw


def test_the_domains_own_spf_counts_where_the_settings_give_one() -> None:
    wanted = {"spf": {"include": ["_spf.google.com"]}}
    assert spf_statuses(GOOD, **wanted) == (Status.FAIL, Status.FAIL)
    own = '"v=spf1 include:default._spf.mail.example.com include:_spf.google.com ~all"'
    zone = {**GOOD, **spf_zone(), ("example.com", "TXT"): [own]}
    found = spf_of(zone, **wanted)
    assert {finding.status for finding in found.values()} == {Status.PASS}
    assert "example.com: 5 look-ups, 0 void" in found["domain.spf-limits"].saw


def test_large_senders_spf_is_counted_as_receivers_count_it() -> None:
    includes = "include:_spf.google.com include:spf.protection.outlook.com include:servers.mcsv.net"
    own = f'"v=spf1 ip4:203.0.113.5 {includes} ~all"'
    found = spf_of({**GOOD, **spf_zone(), ("bounce.example.com", "TXT"): [own]})
    assert "6 look-ups, 0 void" in found["domain.spf-limits"].saw


def test_an_owners_macros_and_redirect_are_followed_and_counted() -> None:
    had = "v=spf1 exists:%{i}.list.example.com include:%{d}._spf.example.com redirect=r.example.com"
    own = f'"v=spf1 include:default._spf.mail.example.com {had.removeprefix("v=spf1 ")}"'
    zone = {
        **GOOD,
        ("example.com", "TXT"): [own],
        ("example.com._spf.example.com", "TXT"): ['"v=spf1 ip4:192.0.2.1 -all"'],
        ("r.example.com", "TXT"): ['"v=spf1 mx -all"'],
        ("r.example.com", "MX"): ["10 mta.mail.example.com."],
    }
    found = spf_of(zone, spf={"record": had})
    assert found["domain.spf"].status is Status.PASS, found
    assert found["domain.spf-limits"].status is Status.PASS, found
    assert "example.com: 5 look-ups" in found["domain.spf-limits"].saw


def test_an_unreachable_dns_server_leaves_spf_unknown() -> None:
    deployed = deployment()
    case = case_of(deployed, Resolver([f"127.0.0.1:{closed_port()}"], seconds=0.2))
    for check in (domain_spf.result, domain_spf.limits):
        with pytest.raises(LookupFailed, match="no DNS server answered"):
            check(domain_of(deployed), case)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, Status.PASS),
        ({("mta.mail.example.com", "A"): ["203.0.113.9"]}, Status.FAIL),
        ({("bounce.example.com", "MX"): ["0 ."]}, Status.FAIL),
        ({("bounce.example.com", "MX"): ["10 mx.elsewhere.example."]}, Status.FAIL),
    ],
)
def test_the_bounce_domain_must_point_to_the_mta(change: Zone, status: Status) -> None:
    deployed = deployment()
    with serving({**GOOD, **change}) as server:
        findings = domain_spf.bounce_domain(domain_of(deployed), case_of(deployed, server))
    assert statuses(findings) == {"domain.bounce": status}


def test_a_separate_feedback_domain_must_also_point_to_the_mta() -> None:
    deployed = deployment(feedback="complaints.example.com")
    with serving(GOOD) as server:
        findings = domain_spf.bounce_domain(domain_of(deployed), case_of(deployed, server))
    assert statuses(findings) == {"domain.bounce": Status.FAIL}
    assert "MX complaints.example.com → nothing" in findings[0].saw


# DKIM -------------------------------------------------------------------------

TARGET = "s1.example.com.dkim.mail.example.com"
HostKeys = Mapping[str, str]
DKIM = ("domain.dkim-record", "domain.dkim-key", "domain.dkim-length")


def dkim_findings(zone: Zone, keys: HostKeys | None, /, **changes: Any) -> dict[str, Finding]:
    """By what the MTA host has; None: it does not answer."""
    deployed = deployment(**{"zone": None, **changes})
    answers = None if keys is None else {"public-keys": keys}
    with serving(zone) as server:
        return found(case_of(deployed, server, answers, only=DKIM), "example.com s1")


def dkim_of(record: list[str], keys: HostKeys | None) -> dict[str, Status]:
    zone: Zone = {
        ("s1._domainkey.example.com", "CNAME"): [f"{TARGET}."],
        **({(TARGET, "TXT"): record} if record else {}),
    }
    return {check: f.status for check, f in dkim_findings(zone, keys).items()}


def public_der(bits: int) -> bytes:
    key = rsa.generate_private_key(65537, bits).public_key()
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def rsa_record(der: bytes) -> list[str]:
    return [quoted(f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}")]


def on_host(der: bytes) -> HostKeys:
    return {"example.com/s1": base64.b64encode(der).decode()}


def test_a_published_key_that_is_the_hosts_passes_over_a_cname() -> None:
    der = public_der(2048)
    assert set(dkim_of(rsa_record(der), on_host(der)).values()) == {Status.PASS}


def test_another_published_key_fails_by_key_alone() -> None:
    assert dkim_of(rsa_record(public_der(2048)), on_host(public_der(2048))) == {
        "domain.dkim-record": Status.PASS,
        "domain.dkim-key": Status.FAIL,
        "domain.dkim-length": Status.PASS,
    }


def test_a_short_key_fails_by_length_alone() -> None:
    der = public_der(1024)
    assert dkim_of(rsa_record(der), on_host(der)) == {
        "domain.dkim-record": Status.PASS,
        "domain.dkim-key": Status.PASS,
        "domain.dkim-length": Status.FAIL,
    }


def test_an_ed25519_key_is_compared_too() -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    raw = base64.b64encode(key.public_bytes_raw()).decode()
    assert set(dkim_of([f'"v=DKIM1; k=ed25519; p={raw}"'], on_host(der)).values()) == {Status.PASS}


@pytest.mark.parametrize("record", [[], ['"v=DKIM1; k=rsa; p=AAAA"'], ['"p="', '"p=x"']])
def test_a_missing_or_broken_dkim_record_fails_and_leaves_the_rest_unknown(
    record: list[str],
) -> None:
    assert dkim_of(record, {}) == {
        "domain.dkim-record": Status.FAIL,
        "domain.dkim-key": Status.UNKNOWN,
        "domain.dkim-length": Status.UNKNOWN,
    }


def test_a_dangling_alias_is_shown_with_its_target() -> None:
    zone: Zone = {("s1._domainkey.example.com", "CNAME"): ["gone.dkim.mail.example.com."]}
    found = dkim_findings(zone, {})["domain.dkim-record"]
    assert "s1._domainkey.example.com → gone.dkim.mail.example.com" in found.saw
    assert found.fix == (
        f"the owner of example.com publishes: s1._domainkey.example.com. 3600 IN CNAME {TARGET}."
    )


def test_a_copied_key_warns_that_it_does_not_follow_the_next_one() -> None:
    der = public_der(2048)
    zone: Zone = {("s1._domainkey.example.com", "TXT"): rsa_record(der)}
    assert dkim_findings(zone, on_host(der))["domain.dkim-record"].status is Status.WARN
    ours = dkim_findings(zone, on_host(der), zone="example.com")
    assert ours["domain.dkim-record"].status is Status.PASS


def test_a_key_that_is_missing_on_the_host_fails() -> None:
    found = dkim_of(rsa_record(public_der(2048)), {})
    assert found["domain.dkim-key"] is Status.FAIL


def test_a_host_that_does_not_answer_leaves_the_key_unknown() -> None:
    found = dkim_of(rsa_record(public_der(2048)), None)
    assert found["domain.dkim-key"] is Status.UNKNOWN
    assert found["domain.dkim-record"] is Status.PASS


@pytest.mark.parametrize("case", PUBLISHED["dkim"], ids=lambda case: str(case["whose"]))
def test_published_dkim_records_are_judged_as_receivers_judge_them(case: dict[str, Any]) -> None:
    if "refused" in case:
        with pytest.raises(domain_dkim.BadRecord, match=case["refused"]):
            domain_dkim.parse("s1._domainkey.example.com", case["record"])
        return
    found = domain_dkim.parse("s1._domainkey.example.com", case["record"])
    assert (found.kind, found.bits) == (case["kind"], case["bits"])
    assert found.testing is case.get("testing", False)


# DMARC ------------------------------------------------------------------------


def dmarc_findings(zone: Zone, /, **changes: Any) -> dict[str, Finding]:
    deployed = deployment(**changes)
    with serving(zone) as server:
        return found(case_of(deployed, server, only=DMARC_CHECKS), domain_of(deployed).name)


def dmarc_of(zone: Zone, /, **changes: Any) -> dict[str, Status]:
    return {check: found.status for check, found in dmarc_findings(zone, **changes).items()}


def with_record(record: str) -> Zone:
    return {**GOOD, ("_dmarc.example.com", "TXT"): [f'"{record}"']}


def test_a_dmarc_record_as_the_settings_say_passes() -> None:
    assert set(dmarc_of(GOOD).values()) == {Status.PASS}


def test_a_missing_dmarc_record_fails() -> None:
    zone = {key: value for key, value in GOOD.items() if not key[0].startswith("_dmarc")}
    found = dmarc_of(zone)
    assert found["domain.dmarc"] is Status.FAIL
    assert found["domain.report-address"] is Status.UNKNOWN


def test_two_dmarc_records_fail() -> None:
    zone = {**GOOD, ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"']}
    assert dmarc_of(zone)["domain.dmarc"] is Status.FAIL


@pytest.mark.parametrize("case", PUBLISHED["dmarc"], ids=lambda case: str(case["whose"]))
def test_published_dmarc_records_are_held_against_the_policy_of_the_settings(
    case: dict[str, Any],
) -> None:
    found = dmarc_of(with_record(case["record"]), dmarc={"policy": "quarantine"})
    assert str(found["domain.dmarc"]) == case["status"]


def test_a_record_of_the_parent_domain_warns() -> None:
    zone = {**GOOD, ("news.example.com", "MX"): ["10 mta.mail.example.com."]}
    found = dmarc_findings(zone, name="news.example.com", bounce="bounce.example.com")
    assert found["domain.dmarc"].status is Status.WARN
    assert found["domain.dmarc"].saw.startswith("_dmarc.example.com: ")


def test_strict_alignment_leaves_dkim_alone_to_align() -> None:
    zone = with_record("v=DMARC1; p=quarantine; aspf=s; rua=mailto:dmarc@example.com")
    assert dmarc_of(zone) == {
        "domain.dmarc": Status.PASS,
        "domain.alignment": Status.WARN,
        "domain.report-address": Status.PASS,
    }


def test_an_envelope_domain_of_another_organisation_does_not_align() -> None:
    found = dmarc_of(GOOD, bounce="bounce.example.net")
    assert found["domain.alignment"] is Status.WARN


def test_reports_that_go_elsewhere_than_the_settings_say_warn() -> None:
    found = dmarc_findings(with_record("v=DMARC1; p=quarantine; rua=mailto:other@example.com"))
    assert found["domain.report-address"].status is Status.WARN
    assert found["domain.report-address"].expected == "rua=mailto:dmarc@example.com"


def test_a_report_address_elsewhere_needs_its_owners_word() -> None:
    wanted = {"dmarc": {"policy": "reject", "report": "dmarc@reports.example.net"}}
    zone = with_record("v=DMARC1; p=reject; rua=mailto:dmarc@reports.example.net")
    zone["reports.example.net", "MX"] = ["10 mta.mail.example.com."]
    found = dmarc_findings(zone, **wanted)["domain.report-address"]
    assert found.status is Status.WARN
    consent = "example.com._report._dmarc.reports.example.net"
    assert found.fix.endswith(f'publishes: {consent}. 3600 IN TXT "v=DMARC1"')
    zone[consent, "TXT"] = ['"v=DMARC1"']
    checkdmarc.utils.DNS_CACHE.clear()
    assert dmarc_of(zone, **wanted)["domain.report-address"] is Status.PASS


def test_a_report_address_that_accepts_no_mail_warns() -> None:
    zone = {key: value for key, value in GOOD.items() if key != ("example.com", "MX")}
    assert dmarc_of(zone)["domain.report-address"] is Status.WARN


def test_a_failing_dns_server_says_nothing_about_dmarc() -> None:
    deployed = deployment()
    with serving(GOOD, broken=["example.com"]) as server, pytest.raises(LookupFailed):
        domain_dmarc.policy(domain_of(deployed), case_of(deployed, server))
