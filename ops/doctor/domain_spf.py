"""SPF of a sender domain's envelope, and where its bounces go."""

from collections.abc import Sequence

import checkdmarc.spf
import spf

from ops.doctor.finding import Finding, failed, passed, unknown
from ops.doctor.resolver import Resolver
from ops.stack import Egress
from policy.settings.domains import SenderDomain

_LOOKUPS, _VOID_LOOKUPS = 10, 2  # RFC 7208, 4.6.4


def envelope_spf(
    domain: SenderDomain, sources: Sequence[Egress], resolver: Resolver, *, publish: str
) -> list[Finding]:
    """SPF of the bounce domain for every address that the domain's mail leaves from.

    `publish` is the mend for a record that is missing or wrong.
    """
    name = domain.bounce_domain
    answers = {
        source.public: spf.check2(i=source.public, s=f"bounces@{name}", h=source.ehlo)
        for source in sources
    }
    bad = {address: answer for address, answer in answers.items() if answer[0] != "pass"}
    temporary = [address for address, answer in bad.items() if answer[0] == "temperror"]
    if temporary:
        verdict = unknown("domain.spf", domain.name, f"{name}: {bad[temporary[0]][1]}")
    elif bad:
        said = "; ".join(f"{address} {result}: {why}" for address, (result, why) in bad.items())
        verdict = failed(
            "domain.spf",
            domain.name,
            f"{name}: {said}",
            expected=f"pass for {', '.join(answers)}",
            mend=publish,
        )
    else:
        verdict = passed("domain.spf", domain.name, f"{name} passes for {', '.join(answers)}")
    return [verdict, _limits(domain, resolver, publish)]


def _limits(domain: SenderDomain, resolver: Resolver, publish: str) -> Finding:
    name = domain.bounce_domain
    result = checkdmarc.spf.check_spf(name, resolver=resolver.dnspython)
    lookups, void = result.get("dns_lookups"), result.get("void_dns_lookups")
    if lookups is None or void is None:
        return failed(
            "domain.spf-limits",
            domain.name,
            f"{name}: {result.get('error', 'no SPF record')}",
            expected="one valid SPF record",
            mend=publish,
        )
    saw = f"{name}: {lookups} look-ups, {void} void"
    if lookups > _LOOKUPS or void > _VOID_LOOKUPS:
        return failed(
            "domain.spf-limits",
            domain.name,
            saw,
            expected=f"at most {_LOOKUPS} look-ups, {_VOID_LOOKUPS} void",
            mend="remove includes that are not needed, or list addresses instead",
        )
    return passed("domain.spf-limits", domain.name, saw)


def bounce_domain(
    domain: SenderDomain, resolver: Resolver, *, mta_host: str, mta_address: str, publish: str
) -> list[Finding]:
    """MX of the bounce and feedback domains lead to the MTA's address."""
    findings = []
    for name in dict.fromkeys((domain.bounce_domain, domain.feedback_domain)):
        exchangers = resolver.exchangers(name)
        addresses = sorted({a for host in exchangers for a in resolver.addresses(host)})
        saw = f"MX {name} → {', '.join(exchangers) or 'nothing'} → {', '.join(addresses) or '-'}"
        if exchangers and addresses == [mta_address]:
            findings.append(passed("domain.bounce", domain.name, saw))
        else:
            findings.append(
                failed(
                    "domain.bounce",
                    domain.name,
                    saw,
                    expected=f"MX {mta_host} at {mta_address}",
                    mend=publish,
                )
            )
    return findings
