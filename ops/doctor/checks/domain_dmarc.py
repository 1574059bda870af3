"""DMARC of a sender domain: its record, alignment and report addresses."""

from collections.abc import Mapping
from typing import Any

import checkdmarc.dmarc
from checkdmarc.utils import get_base_domain

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.registry import check
from ops.doctor.resolver import Resolver
from ops.doctor.subjects import DOMAINS
from policy import record_names as names
from policy.settings.domains import SenderDomain

_WEAKEST_FIRST = ("none", "quarantine", "reject")


def _look(domain: SenderDomain, case: Case) -> tuple[Mapping[str, Any], str, str]:
    """The record's tags, the record, and the domain that has it. Raises `DMARCError`."""
    return case.once(("dmarc", domain.name), lambda: _published(domain.name, case.resolver))


def _published(name: str, resolver: Resolver) -> tuple[Mapping[str, Any], str, str]:
    # checkdmarc treats a failed look-up as a missing record; this call raises instead.
    resolver.txt(names.dmarc(name))
    found = checkdmarc.dmarc.query_dmarc_record(name, resolver=resolver.dnspython, retries=0)
    record, location = found["record"], found["location"]
    parsed = checkdmarc.dmarc.parse_dmarc_record(
        record, location, resolver=resolver.dnspython, retries=0
    )
    return parsed["tags"], record, location


def _fix(domain: SenderDomain, case: Case) -> str:
    return fixes.record(case.deployment, domain.name, names.dmarc(domain.name))


@check("domain.dmarc", DOMAINS)
def policy(domain: SenderDomain, case: Case) -> Finding:
    """One valid record, the domain's own if we publish one, as strict as the settings."""
    wanted = domain.dmarc.policy
    try:
        tags, record, location = _look(domain, case)
    except checkdmarc.dmarc.DMARCError as error:
        return failed(
            f"{names.dmarc(domain.name)}: {error}",
            expected=f"one valid DMARC record with p={wanted}",
            fix=_fix(domain, case),
        )
    inherited = location != domain.name
    unexpected = inherited and domain.dmarc.publish
    found = str(tags["sp" if inherited else "p"]["value"])
    saw = f"_dmarc.{location}: {record}"
    if unexpected or _WEAKEST_FIRST.index(found) < _WEAKEST_FIRST.index(wanted):
        expected = f"p={wanted} or stricter at _dmarc.{domain.name}"
        return warned(saw, expected=expected, fix=_fix(domain, case))
    return passed(saw)


@check("domain.alignment", DOMAINS)
def alignment(domain: SenderDomain, case: Case) -> Finding:
    """Whether the envelope's domain aligns (RFC 7489, 3.1); DKIM signs as the domain itself."""
    try:
        strict = _look(domain, case)[0]["aspf"]["value"] == "s"
    except checkdmarc.dmarc.DMARCError:
        strict = False
    envelope, organisation = domain.bounce_domain, get_base_domain(domain.name)
    aligned = envelope == domain.name if strict else get_base_domain(envelope) == organisation
    mode = "strict" if strict else "relaxed"
    saw = f"From {domain.name}, DKIM d={domain.name}, envelope {envelope} ({mode})"
    if aligned:
        return passed(saw)
    fix = (
        "publish the DMARC record without aspf=s"
        if strict
        else f"set this domain's `bounce` to bounce.{domain.name} in the stack file"
    )
    return warned(
        f"{saw}: only DKIM aligns",
        expected=f"an envelope under {organisation}, relaxed alignment",
        fix=fix,
    )


@check("domain.report-address", DOMAINS)
def reports(domain: SenderDomain, case: Case) -> Finding:
    """Reports go to the address in the settings, whose domain accepts them."""
    try:
        tags, _, location = _look(domain, case)
    except checkdmarc.dmarc.DMARCError:
        return unknown("no DMARC record to read")
    uris = [uri for tag in ("rua", "ruf") if tag in tags for uri in tags[tag]["value"]]
    addresses = list(dict.fromkeys(uri["address"] for uri in uris if uri["scheme"] == "mailto"))
    wanted = domain.dmarc.report
    if wanted and wanted.lower() not in [address.lower() for address in addresses]:
        return warned(
            f"reports go to {', '.join(addresses) or 'no address'}",
            expected=f"rua=mailto:{wanted}",
            fix=_fix(domain, case),
        )
    for address in addresses:
        problem = _report_problem(location, address, case.resolver)
        if problem:
            return problem
    return passed(", ".join(addresses) or "none requested")


def _report_problem(location: str, address: str, resolver: Resolver) -> Finding | None:
    receiver = address.rpartition("@")[2].lower()
    consent = f"{location}._report._dmarc.{receiver}"
    # Raises if the look-up fails; checkdmarc would report missing consent.
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
            f"{address}: {receiver} does not publish that it accepts reports about {location}",
            expected=f"TXT {consent}",
            fix=f'the owner of {receiver} publishes: {consent}. 3600 IN TXT "v=DMARC1"',
        )
    if not (resolver.exchangers(receiver) or resolver.addresses(receiver)):
        return warned(
            f"{address}: {receiver} accepts no mail",
            expected=f"MX {receiver}",
            fix="set dmarc.report in the stack file to an address that accepts mail",
        )
    return None
