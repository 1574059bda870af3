"""SPF of a sender domain's envelope, and where its bounces go."""

from collections.abc import Callable, Sequence

import checkdmarc.spf
import spf

from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed, unknown
from ops.doctor.resolver import Resolver
from ops.stack import Deployment, Egress
from policy.settings.domains import SenderDomain

_LOOKUPS, _VOID_LOOKUPS = 10, 2  # RFC 7208, 4.6.4


def envelope_spf(
    domain: SenderDomain, sources: Sequence[Egress], resolver: Resolver, deployment: Deployment
) -> list[Finding]:
    """SPF for every address that the domain's mail leaves from, and the cost of its look-ups.

    It is that of the bounce domain; the domain's own as well where the settings give one.
    """
    names = [domain.bounce_domain, *([domain.name] if domain.spf else [])]
    results = [(name, source, *_result(name, source)) for name in names for source in sources]
    stuck = [f"{name}: {why}" for name, _, result, why in results if result == "temperror"]
    if stuck:
        checks = ("domain.spf", "domain.spf-limits")
        return [unknown(check, domain.name, stuck[0]) for check in checks]
    bad = [entry for entry in results if entry[2] != "pass"]
    addresses = ", ".join(source.public for source in sources)

    def fix(name: str) -> str:
        return fixes.record(deployment, domain.name, name)

    verdict = passed("domain.spf", domain.name, f"{' and '.join(names)}: pass for {addresses}")
    if bad:
        verdict = failed(
            "domain.spf",
            domain.name,
            "; ".join(f"{name} for {s.public}: {text} {why}" for name, s, text, why in bad),
            expected=f"pass for {addresses}",
            fix=fix(bad[0][0]),
        )
    return [verdict, _limits(domain, names, resolver, fix)]


def _result(name: str, source: Egress) -> tuple[str, str]:
    result, why = spf.check2(i=source.public, s=f"bounces@{name}", h=source.ehlo)
    return str(result), str(why).replace("SPF Permanent Error: ", "")


def _limits(
    domain: SenderDomain, names: Sequence[str], resolver: Resolver, fix: Callable[[str], str]
) -> Finding:
    """The cost of the whole record, not only up to the first match: receivers differ."""
    saw = []
    for name in names:
        result = checkdmarc.spf.check_spf(name, resolver=resolver.dnspython, retries=0)
        lookups, void = result.get("dns_lookups") or 0, result.get("void_dns_lookups") or 0
        saw.append(f"{name}: {lookups} look-ups, {void} void")
        if lookups > _LOOKUPS or void > _VOID_LOOKUPS:
            return failed(
                "domain.spf-limits",
                domain.name,
                saw[-1],
                expected=f"at most {_LOOKUPS} look-ups, {_VOID_LOOKUPS} void",
                fix=f"{fix(name)}; if the record is as the settings say, remove domains under "
                "spf.include that are not needed",
            )
        if not result["valid"]:
            return failed(
                "domain.spf-limits",
                domain.name,
                f"{name}: {result['error']}",
                expected="one valid SPF record",
                fix=fix(name),
            )
    return passed("domain.spf-limits", domain.name, "; ".join(saw))


def bounce_domain(
    domain: SenderDomain, resolver: Resolver, deployment: Deployment
) -> list[Finding]:
    """MX of the bounce and feedback domains lead to the MTA's address."""
    names = dict.fromkeys((domain.bounce_domain, domain.feedback_domain))
    address = deployment.mta.address
    saw, bad = [], []
    for name in names:
        exchangers = resolver.exchangers(name)
        addresses = sorted({a for host in exchangers for a in resolver.addresses(host)})
        leads = f"{', '.join(exchangers) or 'nothing'} → {', '.join(addresses) or 'nothing'}"
        saw.append(f"MX {name} → {leads}")
        if addresses != [address]:
            bad.append(name)
    if bad:
        return [
            failed(
                "domain.bounce",
                domain.name,
                "; ".join(saw),
                expected=f"MX {deployment.settings.mta_host} → {address}",
                fix=fixes.record(deployment, domain.name, bad[0]),
            )
        ]
    return [passed("domain.bounce", domain.name, "; ".join(saw))]
