"""DMARC of a sender domain: its record, alignment, and who takes the reports."""

from collections.abc import Mapping
from typing import Any

import checkdmarc.dmarc
from checkdmarc.utils import get_base_domain

from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.resolver import Resolver
from ops.stack import Deployment
from policy import record_names as names
from policy.settings.domains import SenderDomain

CHECKS = ("domain.dmarc", "domain.alignment", "domain.report-address")
_WEAKEST_FIRST = ("none", "quarantine", "reject")


def dmarc(domain: SenderDomain, resolver: Resolver, deployment: Deployment) -> list[Finding]:
    """Record and policy, alignment by it, and the authorisation of report addresses elsewhere."""
    own = names.dmarc(domain.name)
    fix = fixes.record(deployment, domain.name, own)
    # checkdmarc takes a failed look-up for a missing record; this one raises instead.
    resolver.txt(own)
    try:
        found = checkdmarc.dmarc.query_dmarc_record(
            domain.name, resolver=resolver.dnspython, retries=0
        )
        parsed = checkdmarc.dmarc.parse_dmarc_record(
            found["record"], found["location"], resolver=resolver.dnspython, retries=0
        )
    except checkdmarc.dmarc.DMARCError as error:
        return [
            failed(
                "domain.dmarc",
                domain.name,
                f"{own}: {error}",
                expected=f"one valid DMARC record with p={domain.dmarc.policy}",
                fix=fix,
            ),
            alignment(domain, strict=False),
            unknown("domain.report-address", domain.name, "no DMARC record to read"),
        ]
    tags: Mapping[str, Any] = parsed["tags"]
    return [
        _policy(domain, tags, found["record"], found["location"], fix),
        alignment(domain, strict=tags["aspf"]["value"] == "s"),
        _reports(domain, tags, found["location"], resolver, fix),
    ]


def _policy(
    domain: SenderDomain, tags: Mapping[str, Any], record: str, location: str, fix: str
) -> Finding:
    inherited = location != domain.name
    unexpected = inherited and domain.dmarc.publish
    policy = str(tags["sp" if inherited else "p"]["value"])
    wanted = domain.dmarc.policy
    expected = f"p={wanted} or stricter at _dmarc.{domain.name}"
    saw = f"_dmarc.{location}: {record}"
    if unexpected or _WEAKEST_FIRST.index(policy) < _WEAKEST_FIRST.index(wanted):
        return warned("domain.dmarc", domain.name, saw, expected=expected, fix=fix)
    return passed("domain.dmarc", domain.name, saw)


def alignment(domain: SenderDomain, *, strict: bool) -> Finding:
    """Whether the envelope's domain aligns (RFC 7489, 3.1); DKIM signs as the domain itself."""
    envelope, organisation = domain.bounce_domain, get_base_domain(domain.name)
    aligned = envelope == domain.name if strict else get_base_domain(envelope) == organisation
    mode = "strict" if strict else "relaxed"
    saw = f"From {domain.name}, DKIM d={domain.name}, envelope {envelope} ({mode})"
    if aligned:
        return passed("domain.alignment", domain.name, saw)
    fix = (
        "publish the DMARC record without aspf=s"
        if strict
        else f"set this domain's `bounce` to bounce.{domain.name} in the stack file"
    )
    return warned(
        "domain.alignment",
        domain.name,
        f"{saw}: DKIM alone aligns",
        expected=f"an envelope under {organisation}, relaxed alignment",
        fix=fix,
    )


def _reports(
    domain: SenderDomain, tags: Mapping[str, Any], location: str, resolver: Resolver, fix: str
) -> Finding:
    uris = [uri for tag in ("rua", "ruf") if tag in tags for uri in tags[tag]["value"]]
    addresses = list(dict.fromkeys(uri["address"] for uri in uris if uri["scheme"] == "mailto"))
    wanted = domain.dmarc.report
    if wanted and wanted.lower() not in [address.lower() for address in addresses]:
        return warned(
            "domain.report-address",
            domain.name,
            f"reports go to {', '.join(addresses) or 'nobody'}",
            expected=f"rua=mailto:{wanted}",
            fix=fix,
        )
    for address in addresses:
        problem = _report_problem(domain.name, location, address, resolver)
        if problem:
            return problem
    return passed("domain.report-address", domain.name, ", ".join(addresses) or "none asked for")


def _report_problem(name: str, location: str, address: str, resolver: Resolver) -> Finding | None:
    receiver = address.rpartition("@")[2].lower()
    consent = f"{location}._report._dmarc.{receiver}"
    # Raises where nothing is known; checkdmarc would say that consent is missing.
    resolver.txt(consent)
    try:
        checkdmarc.dmarc.verify_dmarc_report_destination(
            location,
            receiver,
            resolver=resolver.dnspython,
            retries=0,
            ignore_unrelated_records=True,
        )
    except checkdmarc.dmarc.UnverifiedDMARCURIDestination:
        return warned(
            "domain.report-address",
            name,
            f"{address}: {receiver} does not say that it takes reports about {location}",
            expected=f"TXT {consent}",
            fix=f'the owner of {receiver} publishes: {consent}. 3600 IN TXT "v=DMARC1"',
        )
    if not (resolver.exchangers(receiver) or resolver.addresses(receiver)):
        return warned(
            "domain.report-address",
            name,
            f"{address}: {receiver} takes no mail",
            expected=f"MX {receiver}",
            fix="name an address that takes mail under dmarc.report in the stack file",
        )
    return None
