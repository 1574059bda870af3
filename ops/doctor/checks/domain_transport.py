"""DNSSEC, MTA-STS and TLS-RPT of a sender domain, and whether its name servers agree."""

from collections.abc import Iterable

import checkdmarc.mta_sts
import checkdmarc.smtp_tls_reporting

from ops.doctor import fixes, https
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.registry import check
from ops.doctor.resolver import Dnssec, LookupFailed, Resolver
from ops.doctor.subjects import DOMAINS
from ops.stack import Deployment
from policy import record_names as names
from policy.settings import Settings
from policy.settings.domains import SenderDomain

HTTPS = 443
_POLICY_PATH = "/.well-known/mta-sts.txt"


@check("domain.dnssec", DOMAINS)
def dnssec(domain: SenderDomain, case: Case) -> Finding:
    """Not signed, signed and valid, or broken."""
    resolver = case.resolver
    state = resolver.dnssec(domain.name)
    if state is Dnssec.BROKEN:
        zone = _zone(domain.name, resolver)
        return failed(
            f"{zone} is {state}",
            expected=f"{Dnssec.VALID}, or {Dnssec.UNSIGNED}",
            fix=f"the owner of {zone} makes the DS record at the parent match the zone's keys, or "
            f"removes it: dig DS {zone}; dig +cd DNSKEY {zone}",
        )
    return passed(str(state))


def _zone(name: str, resolver: Resolver) -> str:
    try:
        return resolver.zone(name)
    except LookupFailed:
        return name


@check("domain.mta-sts", DOMAINS)
def transport_security(domain: SenderDomain, case: Case) -> Finding:
    """MTA-STS and TLS-RPT of the domain and its bounce domain, if their records exist."""
    resolver = case.resolver
    found: list[str] = []
    broken: list[str] = []
    for name in (domain.name, domain.bounce_domain):
        if any(text.startswith("v=STSv1") for text in resolver.txt(f"_mta-sts.{name}")):
            problem = _mta_sts_problem(name, case)
            broken += [f"MTA-STS {name}: {problem}"] if problem else []
            found += [] if problem else [f"MTA-STS {name} is valid"]
        # A wildcard record may return other texts here.
        if any(text.startswith("v=TLSRPTv1") for text in resolver.txt(f"_smtp._tls.{name}")):
            report = checkdmarc.smtp_tls_reporting.check_smtp_tls_reporting(
                name, resolver=resolver.dnspython, retries=0
            )
            valid = report["valid"]
            broken += [] if valid else [f"TLS-RPT {name}: {report['error']}"]
            found += [f"TLS-RPT {name} is valid"] if valid else []
    if broken:
        return failed(
            "; ".join(broken),
            expected="a valid record, and a valid policy that names every MX",
            fix=f"fix https://mta-sts.{domain.name}{_POLICY_PATH} and its records, or remove "
            "them: first publish mode: none, and remove the record once max_age has passed",
        )
    return passed("; ".join(found) or "not published")


def _mta_sts_problem(name: str, case: Case) -> str | None:
    """Record, policy over HTTPS, and the MX that it must name (RFC 8461)."""
    resolver = case.resolver
    try:
        record = checkdmarc.mta_sts.query_mta_sts_record(
            name, resolver=resolver.dnspython, retries=0
        )
        checkdmarc.mta_sts.parse_mta_sts_record(record["record"])
        host = f"mta-sts.{name}"
        addresses = resolver.addresses(host)
        if not addresses:
            return f"{host} has no address"
        endpoint = https.Endpoint(host=host, address=addresses[0], port=HTTPS)
        answer = https.fetch(endpoint, _POLICY_PATH, case.options.ca_file)
        if answer.status != 200:
            return f"{host} answers {answer.status}"
        policy = checkdmarc.mta_sts.parse_mta_sts_policy(answer.body.decode("utf-8", "replace"))
    except https.Unreachable as error:
        if case.reach.cause(error) != str(error):
            raise  # this machine is at fault
        return str(error)
    except checkdmarc.mta_sts.MTASTSError as error:
        return str(error)
    patterns = policy["policy"]["mx"]
    strangers = [
        exchanger
        for exchanger in resolver.exchangers(name)
        if not checkdmarc.mta_sts.mx_in_mta_sts_patterns(exchanger, patterns)
    ]
    return f"the policy does not name MX {', '.join(strangers)}" if strangers else None


@check("domain.name-servers", DOMAINS, when=lambda options: options.authoritative)
def authoritative(domain: SenderDomain, case: Case) -> Finding:
    """All authoritative servers and the resolver have the same records of the domain."""
    resolver = case.resolver
    silent: dict[str, str] = {}
    different: list[str] = []
    stale: list[str] = []
    asked = 0
    for name, kind in _records(domain, case.settings):
        says: dict[str, tuple[str, ...]] = {}
        for server, addresses in resolver.authorities(name).items():
            if server in silent:
                continue
            try:
                says[server] = tuple(resolver.ask(_first(server, addresses), name, kind))
            except LookupFailed as error:
                silent[server] = f"{server}: {error}"
        asked += len(says)
        if len(set(says.values())) > 1:
            each = ", ".join(f"{server}: {' '.join(said) or '-'}" for server, said in says.items())
            different.append(f"{kind} {name}: {each}")
        elif says and not _agrees(next(iter(says.values())), resolver, name, kind):
            stale.append(f"{kind} {name}")
    return _agreement(domain, case.deployment, list(silent.values()), different, stale, asked)


def _agreement(
    domain: SenderDomain,
    deployment: Deployment,
    silent: list[str],
    different: list[str],
    stale: list[str],
    asked: int,
) -> Finding:
    zone_fix = (
        f"compare the zone's NS records at the parent with its own: dig +trace NS {domain.name}; "
        f"{fixes.refresh(deployment)}"
    )
    if different:
        return failed(different[0], expected="the same answer from all servers", fix=zone_fix)
    if not asked:
        return unknown(
            f"no authoritative server answered: {'; '.join(silent) or 'none named'}",
            fix="allow DNS from this machine to the internet (port 53), or omit --authoritative",
        )
    if silent:
        return failed(
            "; ".join(silent),
            expected="an answer from every server",
            fix=zone_fix,
        )
    if stale:
        return warned(
            f"the resolver still has old answers for {', '.join(stale)}",
            expected="the authoritative servers' answers",
            fix="wait until the records' TTL expires; receivers may cache the old ones as long",
        )
    return passed(f"{asked} answers agree")


def _records(domain: SenderDomain, settings: Settings) -> Iterable[tuple[str, str]]:
    yield names.dmarc(domain.name), "TXT"
    yield domain.bounce_domain, "MX"
    yield domain.bounce_domain, "TXT"
    for selector, _ in settings.dkim_of(domain).published():
        yield names.dkim(selector, domain.name), "TXT"


def _first(server: str, addresses: list[str]) -> str:
    if not addresses:
        raise LookupFailed(server, "no address")
    return addresses[0]


def _agrees(said: tuple[str, ...], resolver: Resolver, name: str, kind: str) -> bool:
    aliases = resolver.aliases(name, kind)
    return said in (tuple(resolver.texts(name, kind)), tuple(aliases[1:2]))
