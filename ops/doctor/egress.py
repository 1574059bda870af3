"""Egress sources: A, PTR and EHLO name agree, and port 25 is open as that address."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import spf

from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed, unknown
from ops.doctor.resolver import Resolver
from ops.stack import Deployment, Egress

_GMAIL = "gmail-smtp-in.l.google.com"
_REFUSES = ipaddress.ip_network("127.255.255.0/24")
"""Answers of block lists that do not serve the asking resolver."""


@dataclass(frozen=True, kw_only=True)
class Dial:
    """What `ping8-agent dial` reports of one conversation, bound to a source's private address."""

    exchanger: str
    connected: bool
    error: str = ""
    greeting: str = ""
    ehlo_accepted: bool = False
    ehlo_answer: str = ""
    seen_address: str = ""

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Dial":
        """From the agent's JSON."""
        return cls(**{name: answer[name] for name in cls.__dataclass_fields__ if name in answer})


def names(source: Egress, resolver: Resolver, deployment: Deployment) -> list[Finding]:
    """Forward-confirmed reverse DNS of one source, and SPF of its EHLO name."""
    region = deployment.settings.region
    return [
        _agree(
            "egress.address",
            source.name,
            what=f"A {source.ehlo}",
            saw=resolver.addresses(source.ehlo),
            expected=source.public,
            fix=f"{fixes.refresh(deployment)}; if the zone is not delegated, publish its NS "
            f"records at the parent: dig NS {deployment.settings.zone}",
        ),
        _agree(
            "egress.reverse-dns",
            source.name,
            what=f"PTR {source.public}",
            saw=resolver.pointers(source.public),
            expected=source.ehlo,
            fix=f"{fixes.refresh(deployment)} once A {source.ehlo} resolves; how far AWS is: "
            f"aws ec2 describe-addresses-attribute --attribute domain-name --region {region}",
        ),
        _ehlo_spf(source, deployment),
    ]


def _agree(
    check: str, subject: str, *, what: str, saw: Sequence[str], expected: str, fix: str
) -> Finding:
    seen = f"{what} → {', '.join(saw) or 'nothing'}"
    if [name.lower() for name in saw] == [expected.lower()]:
        return passed(check, subject, seen)
    return failed(check, subject, seen, expected=f"{expected} alone", fix=fix)


def _ehlo_spf(source: Egress, deployment: Deployment) -> Finding:
    """Receivers judge mail with an empty envelope sender by the EHLO name (RFC 7208, 2.4)."""
    result, why = spf.check2(i=source.public, s="", h=source.ehlo)
    saw = f"{source.ehlo} for {source.public}: {result} {why}".strip()
    if result == "pass":
        return passed("egress.spf", source.name, saw)
    if result == "temperror":
        return unknown("egress.spf", source.name, saw)
    return failed("egress.spf", source.name, saw, expected="pass", fix=fixes.refresh(deployment))


def port_25(source: Egress, dial: Dial, deployment: Deployment) -> list[Finding]:
    """What a well-known exchanger answered when it was dialled as this source."""
    if not dial.connected:
        return [
            failed(
                "egress.port-25",
                source.name,
                f"no connection to {dial.exchanger}:25 from {source.private}: {dial.error}",
                expected="a greeting",
                fix="ask AWS to lift the block on port 25: ping8 doctor --before-launch "
                f"--stack {deployment.stack} prints the request; if it is lifted: "
                f"{fixes.refresh(deployment)}",
            ),
            unknown("egress.seen-as", source.name, "port 25 did not answer"),
        ]
    reached = passed("egress.port-25", source.name, f"{dial.exchanger}: {dial.greeting[:60]}")
    return [reached, _seen_as(source, dial, deployment)]


def _seen_as(source: Egress, dial: Dial, deployment: Deployment) -> Finding:
    if not dial.ehlo_accepted:
        return failed(
            "egress.seen-as",
            source.name,
            f"EHLO {source.ehlo} refused: {(dial.ehlo_answer or dial.error)[:80]}",
            expected="250",
            fix=f"fix egress.address and egress.reverse-dns of {source.name} first",
        )
    if not dial.seen_address:
        return unknown(
            "egress.seen-as",
            source.name,
            f"{dial.exchanger} does not say whom it sees: {dial.ehlo_answer[:80]}",
            fix=f"ask one that does: --exchanger {_GMAIL}",
        )
    saw = f"{dial.exchanger} sees {dial.seen_address}, EHLO {source.ehlo}: {dial.ehlo_answer[:80]}"
    if dial.seen_address != source.public:
        return failed(
            "egress.seen-as",
            source.name,
            saw,
            expected=source.public,
            fix=f"{fixes.refresh(deployment)} associates {source.public} with {source.private}",
        )
    return passed("egress.seen-as", source.name, saw)


def block_lists(source: Egress, lists: Sequence[str], resolver: Resolver) -> list[Finding]:
    """Whether asked DNS block lists name the address; their terms are the operator's to keep."""
    reverse = ".".join(reversed(source.public.split(".")))
    listed = {zone: resolver.addresses(f"{reverse}.{zone}") for zone in lists}
    refused = [zone for zone, codes in listed.items() if any(_refusal(code) for code in codes)]
    hits = [zone for zone, codes in listed.items() if codes and zone not in refused]
    if hits:
        return [
            failed(
                "egress.block-lists",
                source.name,
                f"{source.public} is on {', '.join(hits)}",
                expected="on none",
                fix="find and stop what caused it, then ask the list to remove the address",
            )
        ]
    if refused:
        return [
            unknown(
                "egress.block-lists",
                source.name,
                f"{', '.join(refused)} refuses this resolver",
                fix="ask through a resolver of your own (--resolver); public ones are refused",
            )
        ]
    return [passed("egress.block-lists", source.name, f"on none of {', '.join(lists)}")]


def _refusal(code: str) -> bool:
    return ipaddress.ip_address(code) in _REFUSES


def socks(
    proxy: str, port: int, *, address: str, reached: bool | None, deployment: Deployment
) -> Finding:
    """The proxy's SOCKS port from outside. `reached` is None where the host cannot be reached."""
    where = f"{address}:{port}"
    if reached is None:
        return unknown("egress.proxy-closed", proxy, f"{address} does not answer on any port")
    if reached:
        return failed(
            "egress.proxy-closed",
            proxy,
            f"{where} is open",
            expected="closed to all but the MTA",
            fix=fixes.refresh(deployment),
        )
    return passed("egress.proxy-closed", proxy, f"{where} is closed")


def proxy_reached(proxy: str, answer: Mapping[str, Any], deployment: Deployment) -> Finding:
    """Whether the MTA reaches a proxy's SOCKS port, by `ping8-agent dial --proxy` there."""
    where = f"{answer['proxy']} from the MTA"
    if answer["connected"]:
        return passed("egress.proxy-reached", proxy, f"{where}: {answer['said']}")
    access = deployment.hosts[proxy]
    return failed(
        "egress.proxy-reached",
        proxy,
        f"{where}: {answer['error']}",
        expected="a SOCKS5 answer",
        fix=fixes.on_host(access, "sudo journalctl -u kumoproxy -n 50")
        + f"; {fixes.refresh(deployment)}",
    )
