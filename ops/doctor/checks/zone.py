"""Our own zone: its delegation, and who may issue the certificate of its host."""

import json
from urllib.parse import urlsplit

from dns.rdtypes.ANY.CAA import CAA

from ops.doctor import https
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.https import Endpoint
from ops.doctor.registry import check
from ops.doctor.resolver import LookupFailed, Resolver
from ops.doctor.subjects import ISSUED, ZONE
from policy.settings import Settings

_METHOD = "dns-01"
_KNOWN = (b"issue", b"issuewild", b"iodef", b"contactemail", b"contactphone", b"issuemail")
_CRITICAL = 128


@check("zone.delegation", ZONE)
def zone_delegation(zone: str, case: Case) -> Finding:
    """See `delegation`."""
    return delegation(zone, case.resolver)


def delegation(zone: str, resolver: Resolver) -> Finding:
    """NS records at the parent, each server that they name, and the zone's own NS records.

    If no server of the parent answers this machine, the resolver's answer decides.
    """
    parent = resolver.zone(zone.partition(".")[2])
    fix = (
        f"the owner of {parent} publishes the NS records that Route 53 gave the zone: "
        f"aws route53 list-hosted-zones-by-name --dns-name {zone}; "
        "aws route53 get-hosted-zone --id ID"
    )
    named = _at_parent(parent, zone, resolver)
    if named is None:
        if resolver.zone(zone) == zone:
            return passed(f"{zone} is a zone; this machine cannot query the servers of {parent}")
        named = []
    if not named:
        return failed(f"{parent} has no NS records for {zone}", expected=f"NS {zone}", fix=fix)
    said, lame = {}, []
    for server in named:
        try:
            said[server] = resolver.ask(_address(server, resolver), zone, "NS")
        except LookupFailed as error:
            lame.append(f"{server}: {error}")
    expected = "an answer from every server that the parent names"
    if not said:
        return failed("; ".join(lame), expected=expected, fix=fix)
    if lame:
        return warned("; ".join(lame), expected=expected, fix=fix)
    other = next((own for own in said.values() if own != named), None)
    if other is not None:
        saw = f"{parent} names {', '.join(named)}; the zone names {', '.join(other)}"
        return warned(saw, expected="the same servers", fix=fix)
    return passed(f"{parent} names {', '.join(named)}, which serve {zone}")


def _at_parent(parent: str, zone: str, resolver: Resolver) -> list[str] | None:
    for server in resolver.texts(parent, "NS"):
        try:
            return resolver.delegated(_address(server, resolver), zone)
        except LookupFailed:
            continue
    return None


def _address(server: str, resolver: Resolver) -> str:
    addresses = resolver.addresses(server)
    if not addresses:
        raise LookupFailed(server, "no address")
    return addresses[0]


@check("mta.caa", ISSUED)
def issuers(endpoint: Endpoint, case: Case) -> Finding:
    """See `caa`."""
    return caa(endpoint.host, case.settings, case.resolver, case.options.ca_file)


def caa(host: str, settings: Settings, resolver: Resolver, ca_file: str | None) -> Finding:
    """The records of the host or, without any, of the nearest name above (RFC 8659, 3).

    `issuewild` applies only to wildcards. Without `issue`, every authority may issue.
    """
    name, records = _nearest(host, resolver)
    issue = [_issuer(record.value) for record in records if record.tag.lower() == b"issue"]
    foreign = [r.tag for r in records if r.flags & _CRITICAL and r.tag.lower() not in _KNOWN]
    if not issue and not foreign:
        return passed(f"CAA {name} names no authority" if records else "no CAA record")
    saw = f"CAA {name}: {'; '.join(record.to_text() for record in records)}"
    directory = str(settings.certificate.directory)
    named = any(domain for domain, _ in issue)
    try:
        us = _identities(directory, resolver, ca_file)
    except (LookupFailed, https.Unreachable):
        if named:
            raise
        us = []
    if named and not us:
        return unknown(f"{saw}; {directory} does not list its CAA names")
    ours = [
        limits
        for domain, limits in issue
        if domain in us and _METHOD in limits.get("validationmethods", _METHOD).split(",")
    ]
    if foreign or not ours:
        authority = us[0] if us else "NAME"
        return failed(
            saw,
            expected=f"records that let the certificate's authority issue by {_METHOD}",
            fix="publish a record for the host itself, which overrides those of parent names: "
            f'{host}. CAA 0 issue "{authority}"'
            + ("" if us else f", with the name that {directory} has in caaIdentities"),
        )
    if all("accounturi" in limits for limits in ours):
        return warned(
            saw,
            expected="no accounturi; the host's account is not known here",
            fix="compare it on the MTA host: sudo certbot show_account",
        )
    return passed(saw)


def _nearest(name: str, resolver: Resolver) -> tuple[str, list[CAA]]:
    while name:
        if records := resolver.authorizations(name):
            return name, records
        name = name.partition(".")[2]
    return "", []


def _issuer(value: bytes) -> tuple[str, dict[str, str]]:
    """Domain and parameters of an issue property (RFC 8659, 4.2)."""
    domain, *rest = value.decode("ascii", "replace").split(";")
    pairs = (part.partition("=") for part in rest)
    return domain.strip().lower(), {tag.strip().lower(): text.strip() for tag, _, text in pairs}


def _identities(directory: str, resolver: Resolver, ca_file: str | None) -> list[str]:
    """What CAA calls the authority, by its ACME directory (RFC 8555, 7.1.1)."""
    url = urlsplit(directory)
    host = url.hostname or ""
    endpoint = Endpoint(host=host, address=_address(host, resolver), port=url.port or 443)
    answer = https.fetch(endpoint, url.path or "/", ca_file)
    try:
        found = json.loads(answer.body)["meta"]["caaIdentities"]
        return [str(name).lower() for name in found]
    except (ValueError, KeyError, TypeError):
        return []
