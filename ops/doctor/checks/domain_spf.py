"""SPF of a sender domain's envelope, and where its bounces go."""

import checkdmarc.spf
import spf

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed
from ops.doctor.registry import check
from ops.doctor.resolver import LookupFailed
from ops.doctor.subjects import DOMAINS, sources_of
from ops.stack import Egress
from policy.settings.domains import SenderDomain

_LOOKUPS, _VOID_LOOKUPS = 10, 2  # RFC 7208, 4.6.4
Result = tuple[str, str, str, str]
"""Name, address, verdict and reason."""


def _names(domain: SenderDomain) -> list[str]:
    """The envelope's domain; also the domain itself if the settings give it an SPF record."""
    return [domain.bounce_domain, *([domain.name] if domain.spf else [])]


def _results(domain: SenderDomain, case: Case) -> list[Result]:
    sources = sources_of(domain, case.deployment)
    return [
        (name, source.public, *_result(name, source))
        for name in _names(domain)
        for source in sources
    ]


def _look(domain: SenderDomain, case: Case) -> list[Result]:
    """Raises `LookupFailed` if a look-up failed."""
    results = case.once(("spf", domain.name), lambda: _results(domain, case))
    for name, _, verdict, why in results:
        if verdict == "temperror":
            raise LookupFailed(name, why)
    return results


@check("domain.spf", DOMAINS)
def result(domain: SenderDomain, case: Case) -> Finding:
    """SPF passes for every address that the domain's mail leaves from."""
    results = _look(domain, case)
    addresses = ", ".join(dict.fromkeys(address for _, address, _, _ in results))
    bad = [each for each in results if each[2] != "pass"]
    if bad:
        return failed(
            "; ".join(f"{name} for {address}: {text} {why}" for name, address, text, why in bad),
            expected=f"pass for {addresses}",
            fix=fixes.record(case.deployment, domain.name, bad[0][0]),
        )
    return passed(f"{' and '.join(_names(domain))}: pass for {addresses}")


def _result(name: str, source: Egress) -> tuple[str, str]:
    verdict, why = spf.check2(i=source.public, s=f"bounces@{name}", h=source.ehlo)
    return str(verdict), str(why).replace("SPF Permanent Error: ", "")


@check("domain.spf-limits", DOMAINS)
def limits(domain: SenderDomain, case: Case) -> Finding:
    """The cost of the whole record, not only up to the first match: receivers differ."""
    _look(domain, case)
    saw = []
    for name in _names(domain):
        found = checkdmarc.spf.check_spf(name, resolver=case.resolver.dnspython, retries=0)
        lookups, void = found.get("dns_lookups") or 0, found.get("void_dns_lookups") or 0
        saw.append(f"{name}: {lookups} look-ups, {void} void")
        fix = fixes.record(case.deployment, domain.name, name)
        if lookups > _LOOKUPS or void > _VOID_LOOKUPS:
            return failed(
                saw[-1],
                expected=f"at most {_LOOKUPS} look-ups, {_VOID_LOOKUPS} void",
                fix=f"{fix}; if the record matches the settings, remove domains from "
                "spf.include that are not needed",
            )
        if not found["valid"]:
            expected = "one valid SPF record"
            return failed(f"{name}: {found['error']}", expected=expected, fix=fix)
    return passed("; ".join(saw))


@check("domain.bounce", DOMAINS)
def bounce_domain(domain: SenderDomain, case: Case) -> Finding:
    """MX of the bounce and feedback domains point to the address of each MTA host."""
    resolver, deployment = case.resolver, case.deployment
    names = dict.fromkeys((domain.bounce_domain, domain.feedback_domain))
    nodes = {
        deployment.settings.full_name(host.name): host.address for host in deployment.mta_hosts
    }
    saw, bad = [], []
    for name in names:
        exchangers = resolver.exchangers(name)
        addresses = sorted({a for host in exchangers for a in resolver.addresses(host)})
        leads = f"{', '.join(exchangers) or 'nothing'} → {', '.join(addresses) or 'nothing'}"
        saw.append(f"MX {name} → {leads}")
        if addresses != sorted(nodes.values()):
            bad.append(name)
    if bad:
        return failed(
            "; ".join(saw),
            expected=", ".join(f"MX {host} → {address}" for host, address in nodes.items()),
            fix=fixes.record(deployment, domain.name, bad[0]),
        )
    return passed("; ".join(saw))
