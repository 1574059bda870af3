"""Egress sources: A, PTR and EHLO name agree, and port 25 is open from that address."""

import ipaddress
from collections.abc import Sequence

import spf

from ops.doctor import fixes, https
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.host_answers import Dial
from ops.doctor.reach import SSH
from ops.doctor.registry import check
from ops.doctor.subjects import BRANDS, PROXIES, SOURCES
from ops.stack import Egress
from policy.settings.advice import is_trial
from policy.settings.egress import Brand
from policy.settings.hosts import ProxyHost

_GMAIL = "gmail-smtp-in.l.google.com"
_REFUSES = ipaddress.ip_network("127.255.255.0/24")
"""Answers of block lists that refuse the querying resolver."""


@check("egress.address", SOURCES)
def address(source: Egress, case: Case) -> Finding:
    """The EHLO name has only the source's address."""
    return _agree(
        what=f"A {source.ehlo}",
        saw=case.resolver.addresses(source.ehlo),
        expected=source.public,
        fix=f"{fixes.refresh(case.deployment)}; if the zone is not delegated, publish its NS "
        f"records at the parent: dig NS {case.settings.zone}",
    )


@check("egress.reverse-dns", SOURCES)
def reverse_dns(source: Egress, case: Case) -> Finding:
    """The address's one PTR is the EHLO name."""
    return _agree(
        what=f"PTR {source.public}",
        saw=case.resolver.pointers(source.public),
        expected=source.ehlo,
        fix=f"{fixes.refresh(case.deployment)} once A {source.ehlo} resolves; AWS's progress: "
        "aws ec2 describe-addresses-attribute --attribute domain-name "
        f"--region {case.settings.region}",
    )


def _agree(*, what: str, saw: Sequence[str], expected: str, fix: str) -> Finding:
    seen = f"{what} → {', '.join(saw) or 'nothing'}"
    if [name.lower() for name in saw] == [expected.lower()]:
        return passed(seen)
    return failed(seen, expected=f"only {expected}", fix=fix)


@check("egress.spf", SOURCES)
def ehlo_spf(source: Egress, case: Case) -> Finding:
    """Receivers judge mail with an empty envelope sender by the EHLO name (RFC 7208, 2.4)."""
    result, why = spf.check2(i=source.public, s="", h=source.ehlo)
    saw = f"{source.ehlo} for {source.public}: {result} {why}".strip()
    if result == "pass":
        return passed(saw)
    if result == "temperror":
        return unknown(saw)
    return failed(saw, expected="pass", fix=fixes.refresh(case.deployment))


def _dial(source: Egress, case: Case) -> Dial:
    """Dials the exchanger as this source; the setting names it, or a domain with MX."""
    name = case.options.exchanger
    return case.dial(source, next(iter(case.resolver.exchangers(name)), name))


@check("egress.port-25", SOURCES)
def port_25(source: Egress, case: Case) -> Finding:
    """The exchanger answers when it is dialled as this source."""
    dial = _dial(source, case)
    if dial.connected:
        return passed(f"{dial.exchanger}: {dial.greeting[:60]}")
    if not dial.resolved:
        proxy = case.deployment.hosts[source.proxy]
        return unknown(
            f"{proxy.name} finds no address for {dial.exchanger}: {dial.error}",
            fix="set an exchanger that exists (--exchanger, doctor.exchanger); if this one exists: "
            + fixes.on_host(proxy, f"resolvectl query {dial.exchanger}"),
        )
    return failed(
        f"no connection to {dial.exchanger}:25 from {source.private}: {dial.error}",
        expected="a greeting",
        fix="ask AWS to lift the block on port 25: ping8 doctor --before-launch "
        f"--stack {case.deployment.stack} prints the request; if it is already lifted: "
        f"{fixes.refresh(case.deployment)}",
    )


@check("egress.seen-as", SOURCES)
def seen_as(source: Egress, case: Case) -> Finding:
    """The exchanger sees the source's address and accepts its EHLO name."""
    dial = _dial(source, case)
    if not dial.connected:
        return unknown("port 25 did not answer")
    if not dial.ehlo_accepted:
        return failed(
            f"EHLO {source.ehlo} refused: {(dial.ehlo_answer or dial.error)[:80]}",
            expected="250",
            fix=f"fix egress.address and egress.reverse-dns of {source.name} first",
        )
    if not dial.seen_address:
        return unknown(
            f"{dial.exchanger} does not report the address it sees: {dial.ehlo_answer[:80]}",
            fix=f"use one that does: --exchanger {_GMAIL}",
        )
    saw = f"{dial.exchanger} sees {dial.seen_address}, EHLO {source.ehlo}: {dial.ehlo_answer[:80]}"
    if dial.seen_address != source.public:
        return failed(
            saw,
            expected=source.public,
            fix=f"{fixes.refresh(case.deployment)} associates {source.public} with "
            f"{source.private}",
        )
    return passed(saw)


@check("egress.block-lists", SOURCES, when=lambda options: bool(options.block_lists))
def block_lists(source: Egress, case: Case) -> Finding:
    """The address is on none of the lists. Operators must keep to the lists' terms of use."""
    lists = case.options.block_lists
    reverse = ".".join(reversed(source.public.split(".")))
    listed = {zone: case.resolver.addresses(f"{reverse}.{zone}") for zone in lists}
    refused = [zone for zone, codes in listed.items() if any(_refusal(code) for code in codes)]
    hits = [zone for zone, codes in listed.items() if codes and zone not in refused]
    if hits:
        return failed(
            f"{source.public} is on {', '.join(hits)}",
            expected="on none",
            fix="find and stop what caused it, then ask the list to remove the address",
        )
    if refused:
        return unknown(
            f"{', '.join(refused)} refuses this resolver",
            fix="use a resolver of your own (--resolver); public ones are refused",
        )
    return passed(f"on none of {', '.join(lists)}")


def _refusal(code: str) -> bool:
    return ipaddress.ip_address(code) in _REFUSES


@check("egress.proxy-closed", PROXIES)
def proxy_closed(proxy: ProxyHost, case: Case) -> Finding:
    """The proxy's SOCKS port from outside. If no port answers, that proves nothing."""
    address = case.deployment.hosts[proxy.name].address
    where = f"{address}:{proxy.port}"
    if https.port(address, proxy.port) is https.Port.OPEN:
        fix = fixes.refresh(case.deployment)
        return failed(f"{where} is open", expected="closed to all but the MTA", fix=fix)
    if https.port(address, SSH) is not https.Port.OPEN:
        raise https.Unreachable(f"{address}: no port answers")
    return passed(f"{where} is closed")


@check("egress.proxy-reached", PROXIES)
def proxy_reached(proxy: ProxyHost, case: Case) -> Finding:
    """Whether the MTA reaches a proxy's SOCKS port, by `ping8-agent dial --proxy` there."""
    access = case.deployment.hosts[proxy.name]
    verb = ("dial", "--proxy", access.private_address, "--port", str(proxy.port))
    answers = case.every_mta(*verb)
    lost = {name: answer for name, answer in answers.items() if not answer["connected"]}
    shown = lost or answers
    what = "error" if lost else "said"
    saw = ", ".join(f"{one['proxy']} from {name}: {one[what]}" for name, one in shown.items())
    if not lost:
        return passed(saw)
    return failed(
        saw,
        expected="a SOCKS5 answer",
        fix=fixes.on_host(access, "sudo journalctl -u kumoproxy -n 50")
        + f"; {fixes.refresh(case.deployment)}",
    )


@check("egress.survives-proxy", BRANDS)
def survives_proxy(brand: Brand, case: Case) -> Finding:
    """Whether other proxy hosts, in another zone, carry the brand's mail while one is down."""
    used = case.settings.proxies_of(case.settings.pool(brand.pool))
    saw = f"mail of pool {brand.pool} leaves through {', '.join(proxy.name for proxy in used)}"
    places = {proxy.subnet for proxy in used}
    if len(places) > 1 or is_trial(case.settings):
        return passed(saw)
    zone = ", in one availability zone" if len(used) > 1 else ""
    return warned(
        f"{saw}{zone}",
        expected="proxy hosts in two availability zones",
        fix=f"add a source on a proxy host with subnet {1 - used[0].subnet} to the pool "
        f"(docs/operating.md, Add, move and remove sources), then {fixes.up(case.deployment)}; "
        "if it is meant so, name this check in doctor.accepted",
    )
