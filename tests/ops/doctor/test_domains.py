"""The doctor's look at sender domains, against real DNS answers."""

import base64
from collections.abc import Iterator

import checkdmarc.utils
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ops.doctor import domain_dkim, domain_dmarc, domain_spf
from ops.doctor.finding import Finding, Status
from ops.doctor.resolver import Resolver
from ops.stack import Egress
from policy.settings.domains import Dkim, Dmarc, SenderDomain
from tests.ops.doctor.dns_server import closed_port, serving

SOURCE = Egress(
    name="proxy-default",
    proxy="proxy-1",
    ehlo="out1.mail.example.com",
    public="203.0.113.5",
    private="10.8.0.20",
)
DOMAIN = SenderDomain(name="example.com", dmarc=Dmarc(policy="reject", report="dmarc@example.com"))
GOOD = {
    ("bounce.example.com", "MX"): ["10 mta.mail.example.com."],
    ("bounce.example.com", "TXT"): ['"v=spf1 include:default._spf.mail.example.com -all"'],
    ("default._spf.mail.example.com", "TXT"): ['"v=spf1 ip4:203.0.113.5 -all"'],
    ("mta.mail.example.com", "A"): ["203.0.113.1"],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject; rua=mailto:dmarc@example.com"'],
    ("example.com", "SOA"): ["ns.example.com. host.example.com. 1 2 3 4 5"],
    ("example.com", "MX"): ["10 mta.mail.example.com."],
}
Zone = dict[tuple[str, str], list[str]]


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    checkdmarc.utils.DNS_CACHE.clear()
    yield
    checkdmarc.utils.DNS_CACHE.clear()


def statuses(findings: list[Finding]) -> dict[str, Status]:
    return {finding.check: finding.status for finding in findings}


def spf_of(zone: Zone) -> dict[str, Status]:
    with serving(zone) as server:
        resolver = Resolver([server])
        resolver.use_for_spf()
        return statuses(domain_spf.envelope_spf(DOMAIN, [SOURCE], resolver, publish="pulumi up"))


def test_spf_that_names_the_egress_address_passes() -> None:
    assert spf_of(dict(GOOD)) == {
        "domain.spf": Status.PASS,
        "domain.spf-limits": Status.PASS,
    }


def test_spf_that_names_the_mta_fails() -> None:
    zone = {**GOOD, ("default._spf.mail.example.com", "TXT"): ['"v=spf1 ip4:203.0.113.1 -all"']}
    assert spf_of(zone)["domain.spf"] is Status.FAIL


def test_two_spf_records_fail() -> None:
    zone = {**GOOD, ("bounce.example.com", "TXT"): ['"v=spf1 -all"', '"v=spf1 mx -all"']}
    found = spf_of(zone)
    assert found["domain.spf"] is Status.FAIL
    assert found["domain.spf-limits"] is Status.FAIL


def test_eleven_look_ups_fail() -> None:
    includes = " ".join(f"include:i{n}.example.com" for n in range(10))
    zone = {
        **GOOD,
        ("bounce.example.com", "TXT"): [
            f'"v=spf1 ip4:203.0.113.5 " "{includes}" " include:default._spf.mail.example.com -all"'
        ],
        **{(f"i{n}.example.com", "TXT"): ['"v=spf1 ip4:192.0.2.1 -all"'] for n in range(10)},
    }
    assert spf_of(zone)["domain.spf-limits"] is Status.FAIL


def test_an_unreachable_dns_server_leaves_spf_unknown() -> None:
    resolver = Resolver([f"127.0.0.1:{closed_port()}"], seconds=0.3)
    resolver.use_for_spf()
    findings = domain_spf.envelope_spf(DOMAIN, [SOURCE], resolver, publish="pulumi up")
    assert statuses(findings)["domain.spf"] is Status.UNKNOWN


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, Status.PASS),
        ({("mta.mail.example.com", "A"): ["203.0.113.9"]}, Status.FAIL),
        ({("bounce.example.com", "MX"): ["0 ."]}, Status.FAIL),
    ],
)
def test_the_bounce_domain_must_lead_to_the_mta(change: Zone, status: Status) -> None:
    with serving({**GOOD, **change}) as server:
        findings = domain_spf.bounce_domain(
            DOMAIN,
            Resolver([server]),
            mta_host="mta.mail.example.com",
            mta_address="203.0.113.1",
            publish="pulumi up",
        )
    assert statuses(findings) == {"domain.bounce": status}


def dkim_of(record: list[str], host_keys: dict[str, str] | None) -> dict[str, Status]:
    zone = {
        ("s1._domainkey.example.com", "CNAME"): ["s1.example.com.dkim.mail.example.com."],
        **({("s1.example.com.dkim.mail.example.com", "TXT"): record} if record else {}),
    }
    with serving(zone) as server:
        return statuses(
            domain_dkim.selector(
                SenderDomain(name="example.com", dkim=Dkim(ed25519=True)),
                "s1",
                Resolver([server]),
                host_keys=host_keys,
                publish="pulumi up",
            )
        )


def public_der(bits: int) -> bytes:
    key = rsa.generate_private_key(65537, bits).public_key()
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def rsa_record(der: bytes) -> list[str]:
    text = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
    return [" ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))]


def test_a_published_key_that_is_the_hosts_passes_over_a_cname() -> None:
    der = public_der(2048)
    keys = {"example.com/s1": base64.b64encode(der).decode()}
    assert set(dkim_of(rsa_record(der), keys).values()) == {Status.PASS}


def test_another_published_key_fails_by_key_alone() -> None:
    keys = {"example.com/s1": base64.b64encode(public_der(2048)).decode()}
    assert dkim_of(rsa_record(public_der(2048)), keys) == {
        "domain.dkim-record": Status.PASS,
        "domain.dkim-key": Status.FAIL,
        "domain.dkim-length": Status.PASS,
    }


def test_a_short_key_fails_by_length_alone() -> None:
    der = public_der(1024)
    keys = {"example.com/s1": base64.b64encode(der).decode()}
    assert dkim_of(rsa_record(der), keys) == {
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
    keys = {"example.com/s1": base64.b64encode(der).decode()}
    assert set(dkim_of([f'"v=DKIM1; k=ed25519; p={raw}"'], keys).values()) == {Status.PASS}


@pytest.mark.parametrize("record", [[], ['"v=DKIM1; k=rsa; p=AAAA"'], ['"p="', '"p="']])
def test_a_missing_or_broken_dkim_record_fails_and_leaves_the_rest_unknown(
    record: list[str],
) -> None:
    assert dkim_of(record, {}) == {
        "domain.dkim-record": Status.FAIL,
        "domain.dkim-key": Status.UNKNOWN,
        "domain.dkim-length": Status.UNKNOWN,
    }


def test_a_host_that_does_not_answer_leaves_the_key_unknown() -> None:
    found = dkim_of(rsa_record(public_der(2048)), None)
    assert found["domain.dkim-key"] is Status.UNKNOWN


def dmarc_of(zone: Zone, domain: SenderDomain = DOMAIN) -> dict[str, Status]:
    with serving(zone) as server:
        return statuses(domain_dmarc.dmarc(domain, Resolver([server]), publish="pulumi up"))


def test_a_dmarc_record_as_the_settings_say_passes() -> None:
    assert set(dmarc_of(dict(GOOD)).values()) == {Status.PASS}


def test_a_missing_dmarc_record_fails() -> None:
    zone = {key: value for key, value in GOOD.items() if not key[0].startswith("_dmarc")}
    assert dmarc_of(zone)["domain.dmarc"] is Status.FAIL


def test_a_weaker_published_policy_warns() -> None:
    zone = {**GOOD, ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=none"']}
    assert dmarc_of(zone)["domain.dmarc"] is Status.WARN


def test_a_report_address_elsewhere_needs_its_owners_word() -> None:
    domain = SenderDomain(
        name="example.com", dmarc=Dmarc(policy="reject", report="dmarc@reports.example.net")
    )
    record = '"v=DMARC1; p=reject; rua=mailto:dmarc@reports.example.net"'
    zone = {
        **GOOD,
        ("_dmarc.example.com", "TXT"): [record],
        ("reports.example.net", "MX"): ["10 mta.mail.example.com."],
        ("example.net", "MX"): ["10 mta.mail.example.com."],
    }
    assert dmarc_of(zone, domain)["domain.report-address"] in (Status.WARN, Status.FAIL)
    zone["example.com._report._dmarc.reports.example.net", "TXT"] = ['"v=DMARC1"']
    checkdmarc.utils.DNS_CACHE.clear()
    assert dmarc_of(zone, domain)["domain.report-address"] is Status.PASS


def test_an_envelope_domain_of_another_organisation_does_not_align() -> None:
    assert domain_dmarc.alignment(DOMAIN).status is Status.PASS
    foreign = SenderDomain(name="example.com", bounce="bounce.example.net")
    assert domain_dmarc.alignment(foreign).status is Status.WARN
