"""DNSSEC, MTA-STS, TLS-RPT and name servers of sender domains."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import checkdmarc.dnssec
import checkdmarc.utils
import pytest

from ops.doctor.checks import domain_transport
from ops.doctor.finding import Finding, Status
from ops.doctor.resolver import LookupFailed, Resolver
from tests.examples import SMALL
from tests.ops.doctor import tls_server
from tests.ops.doctor.case import case_of
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.dns_server import closed_port, serving
from tests.ops.doctor.tls_server import Authority

DEPLOYED = deployment_of(SMALL)
DOMAIN = DEPLOYED.settings.domains[0]
SOA = {("example.com", "SOA"): ["ns.example.com. host.example.com. 1 2 3 4 5"]}
DS = {("example.com", "DS"): [f"12345 13 2 {'ab' * 32}"]}


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    checkdmarc.utils.DNS_CACHE.clear()
    checkdmarc.dnssec.DNSSEC_CACHE.clear()


def dnssec_of(records: dict[Any, Any], **server: Any) -> tuple[Status, str]:
    with serving(records, **server) as address:
        (found,) = domain_transport.dnssec(DOMAIN, case_of(DEPLOYED, address))
    return found.status, found.saw


def test_a_zone_without_a_key_at_its_parent_is_not_signed() -> None:
    assert dnssec_of(SOA) == (Status.PASS, "not signed")


def test_a_zone_that_the_resolver_vouches_for_is_valid() -> None:
    assert dnssec_of({**SOA, **DS}, vouches=True) == (Status.PASS, "signed and valid")


def test_a_zone_that_answers_only_who_does_not_check_is_broken() -> None:
    status, saw = dnssec_of(SOA, broken=["example.com"])
    assert status is Status.FAIL
    assert saw == "example.com is signed, but its signatures or keys do not hold"


def test_a_zone_whose_keys_do_not_match_its_parent_is_broken_also_for_a_plain_resolver() -> None:
    assert dnssec_of({**SOA, **DS})[0] is Status.FAIL


def test_a_dead_resolver_says_nothing_about_signatures() -> None:
    resolver = Resolver([f"127.0.0.1:{closed_port()}"], seconds=0.2)
    with pytest.raises(LookupFailed):
        domain_transport.dnssec(DOMAIN, case_of(DEPLOYED, resolver))


# MTA-STS and TLS-RPT ----------------------------------------------------------

STS = {
    **SOA,
    ("_mta-sts.example.com", "TXT"): ['"v=STSv1; id=20261101"'],
    ("mta-sts.example.com", "A"): ["127.0.0.1"],
    ("example.com", "MX"): ["10 mx1.example.com."],
}
POLICY = "version: STSv1\nmode: enforce\nmx: {}\nmax_age: 604800\n"


def sts_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, policy: str | int, **host: Any
) -> Finding:
    authority = Authority.make(tmp_path)
    chain = authority.issue(**{"host": "mta-sts.example.com", **host})
    answers = {"/.well-known/mta-sts.txt": policy}
    with tls_server.serving(chain, answers) as endpoint, serving(STS) as server:
        monkeypatch.setattr(domain_transport, "HTTPS", endpoint.port)
        case = case_of(DEPLOYED, server, ca_file=authority.ca_file)
        (found,) = domain_transport.transport_security(DOMAIN, case)
    return found


def test_nothing_published_passes_as_such() -> None:
    with serving(SOA) as server:
        (found,) = domain_transport.transport_security(DOMAIN, case_of(DEPLOYED, server))
    assert (found.status, found.saw) == (Status.PASS, "not published")


def test_a_policy_that_names_the_exchangers_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = sts_of(monkeypatch, tmp_path, POLICY.format("*.example.com"))
    assert (found.status, found.saw) == (Status.PASS, "MTA-STS example.com is valid")


@pytest.mark.parametrize(
    ("policy", "host", "saw"),
    [
        (POLICY.format("mx9.example.com"), {}, "does not name MX mx1.example.com"),
        (404, {}, "answers 404"),
        ("mode: enforce\n", {}, "MTA-STS example.com: "),
        (POLICY.format("*.example.com"), {"host": "www.example.com"}, "mismatch"),
        (POLICY.format("*.example.com"), {"days": -3}, "expired"),
    ],
)
def test_a_broken_policy_fails(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    policy: str | int,
    host: dict[str, Any],
    saw: str,
) -> None:
    found = sts_of(monkeypatch, tmp_path, policy, **host)
    assert found.status is Status.FAIL
    assert saw in found.saw


@pytest.mark.parametrize(
    ("record", "status"),
    [("v=TLSRPTv1; rua=mailto:tls@example.com", Status.PASS), ("v=TLSRPTv1; x", Status.FAIL)],
)
def test_a_tls_report_record_must_be_valid(record: str, status: Status) -> None:
    with serving({**SOA, ("_smtp._tls.example.com", "TXT"): [f'"{record}"']}) as server:
        (found,) = domain_transport.transport_security(DOMAIN, case_of(DEPLOYED, server))
    assert found.status is status


# Authoritative servers --------------------------------------------------------

ZONE = {
    **SOA,
    ("example.com", "NS"): ["ns1.example.com.", "ns2.example.com."],
    ("ns1.example.com", "A"): ["127.0.0.1"],
    ("ns2.example.com", "A"): ["127.0.0.2"],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=none"'],
    ("bounce.example.com", "CNAME"): ["example.com.bounce.mail.example.com."],
}


def agreement(second: dict[Any, Any] | None, first: dict[Any, Any] = ZONE) -> tuple[Status, str]:
    """What two servers and the resolver say; None: the second does not answer."""
    with serving(ZONE) as resolver, serving(first) as one:
        port = int(one.partition(":")[2])
        case = case_of(DEPLOYED, Resolver([resolver], seconds=0.5, authority_port=port))
        other = serving(second, address="127.0.0.2", port=port) if second else nullcontext()
        with other:
            (found,) = domain_transport.authoritative(DOMAIN, case)
    return found.status, found.saw


def test_servers_that_agree_pass() -> None:
    assert agreement(ZONE) == (Status.PASS, "10 answers agree")


def test_a_server_that_says_something_else_fails_with_each_answer() -> None:
    other = {**ZONE, ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject"']}
    status, saw = agreement(other)
    assert status is Status.FAIL
    assert saw == (
        'TXT _dmarc.example.com: ns1.example.com: "v=DMARC1; p=none", '
        'ns2.example.com: "v=DMARC1; p=reject"'
    )


def test_a_server_that_does_not_answer_fails() -> None:
    status, saw = agreement(None)
    assert status is Status.FAIL
    assert saw.startswith("ns2.example.com: 127.0.0.2")


def test_a_resolver_that_lags_behind_warns() -> None:
    newer = {**ZONE, ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject"']}
    status, saw = agreement(newer, newer)
    assert status is Status.WARN
    assert "TXT _dmarc.example.com" in saw


def test_a_network_that_blocks_dns_leaves_it_unknown() -> None:
    with serving(ZONE) as resolver:
        asked = Resolver([resolver], seconds=1.0, authority_port=closed_port())
        (found,) = domain_transport.authoritative(DOMAIN, case_of(DEPLOYED, asked))
    assert found.status is Status.UNKNOWN


def test_a_wildcard_text_is_no_policy() -> None:
    """What `*.example.com TXT "v=spf1 -all"` answers for every name below."""
    names = [f"{label}.{name}" for label in ("_mta-sts", "_smtp._tls")
             for name in ("example.com", "bounce.example.com")]  # fmt: skip
    records = {**SOA, **{(name, "TXT"): ['"v=spf1 -all"'] for name in names}}
    with serving(records) as address:
        (found,) = domain_transport.transport_security(DOMAIN, case_of(DEPLOYED, address))
    assert (found.status, found.saw) == (Status.PASS, "not published")
