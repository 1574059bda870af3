"""DMARC, alignment, DNSSEC and MTA-STS of a sender domain."""

import checkdmarc.dmarc
import checkdmarc.mta_sts
import checkdmarc.smtp_tls_reporting
from checkdmarc.utils import get_base_domain

from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.resolver import LookupFailed, Resolver
from policy.settings.domains import SenderDomain


def dmarc(domain: SenderDomain, resolver: Resolver, *, publish: str) -> list[Finding]:
    """Record, policy, and the authorisation of report addresses elsewhere."""
    result = checkdmarc.dmarc.check_dmarc(domain.name, resolver=resolver.dnspython)
    if not result["valid"]:
        error = str(result["error"])
        about_reports = "report" in error.lower() and result.get("record")
        broken = failed(
            "domain.report-address" if about_reports else "domain.dmarc",
            domain.name,
            error,
            expected="_report._dmarc record at the report address's domain"
            if about_reports
            else "one valid DMARC record",
            mend=publish,
        )
        other = "domain.dmarc" if about_reports else "domain.report-address"
        return [broken, unknown(other, domain.name, "the record could not be evaluated")]
    record = str(result["record"])
    return [
        _policy(domain, record, result["location"]),
        _reports(domain, [str(warning) for warning in result["warnings"]]),
    ]


def _policy(domain: SenderDomain, record: str, location: object) -> Finding:
    wanted = f"p={domain.dmarc.policy}"
    if wanted not in record.replace(" ", ""):
        return warned(
            "domain.dmarc",
            domain.name,
            f"{record} (at {location})",
            expected=wanted,
            mend=f"publish {wanted}, or set domains[].dmarc.policy to what is published",
        )
    return passed("domain.dmarc", domain.name, record)


def _reports(domain: SenderDomain, warnings: list[str]) -> Finding:
    refused = [text for text in warnings if "report" in text.lower() and "rua tag" not in text]
    if refused and domain.dmarc.report:
        return warned(
            "domain.report-address",
            domain.name,
            refused[0],
            expected=f"{domain.name}._report._dmarc.<domain of {domain.dmarc.report}>",
            mend='the report address\'s domain publishes TXT "v=DMARC1" at that name',
        )
    return passed("domain.report-address", domain.name, domain.dmarc.report or "none asked for")


def alignment(domain: SenderDomain) -> Finding:
    """Relaxed alignment (RFC 7489, 3.1): DKIM signs as the domain itself, so SPF is in question."""
    same = get_base_domain(domain.bounce_domain) == get_base_domain(domain.name)
    saw = f"DKIM d={domain.name}, envelope {domain.bounce_domain}"
    if same:
        return passed("domain.alignment", domain.name, saw)
    return warned(
        "domain.alignment",
        domain.name,
        saw,
        expected=f"an envelope domain under {get_base_domain(domain.name)}",
        mend=f"set the domain's bounce to bounce.{domain.name}",
    )


def dnssec(domain: SenderDomain, resolver: Resolver) -> Finding:
    """Signed and valid, not signed, or broken (a validating resolver gives no answer then)."""
    try:
        signed = resolver.signed(domain.name)
    except LookupFailed as error:
        return failed(
            "domain.dnssec",
            domain.name,
            f"no usable answer: {error}",
            expected="an answer",
            mend="check the DS record at the parent against the zone's keys",
        )
    return passed("domain.dnssec", domain.name, "signed and valid" if signed else "not signed")


def transport_security(domain: SenderDomain, resolver: Resolver) -> Finding:
    """MTA-STS and TLS-RPT, only where their records exist."""
    found: list[str] = []
    broken: list[str] = []
    if resolver.txt(f"_mta-sts.{domain.name}"):
        sts = checkdmarc.mta_sts.check_mta_sts(domain.name, resolver=resolver.dnspython)
        (found if sts["valid"] else broken).append(f"MTA-STS {sts.get('error', 'valid')}")
    if resolver.txt(f"_smtp._tls.{domain.name}"):
        report = checkdmarc.smtp_tls_reporting.check_smtp_tls_reporting(
            domain.name, resolver=resolver.dnspython
        )
        (found if report["valid"] else broken).append(f"TLS-RPT {report.get('error', 'valid')}")
    if broken:
        return failed(
            "domain.mta-sts",
            domain.name,
            "; ".join(broken),
            expected="a valid policy and record",
            mend="mend or remove the records and https://mta-sts.<domain>/.well-known/mta-sts.txt",
        )
    return passed("domain.mta-sts", domain.name, "; ".join(found) or "not published")
