"""Egress sources: A, PTR and EHLO name agree, and port 25 is open as that address."""

import ipaddress
from collections.abc import Sequence

from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.proxy_dial import Dial
from ops.doctor.resolver import Resolver
from ops.stack import Egress


def reverse_dns(source: Egress, resolver: Resolver) -> list[Finding]:
    """Forward-confirmed reverse DNS of one source."""
    forward = resolver.addresses(source.ehlo)
    backward = resolver.pointers(source.public)
    return [
        _agree(
            "egress.address",
            source.name,
            what=f"A {source.ehlo}",
            saw=forward,
            expected=source.public,
            mend="pulumi up; if the zone is not delegated, publish its NS records at the parent",
        ),
        _agree(
            "egress.reverse-dns",
            source.name,
            what=f"PTR {source.public}",
            saw=backward,
            expected=source.ehlo,
            mend=f"pulumi up --target-dependents, once A {source.ehlo} resolves; AWS may take hours"
            " (aws ec2 describe-addresses-attribute --attribute domain-name)",
        ),
    ]


def _agree(
    check: str, subject: str, *, what: str, saw: Sequence[str], expected: str, mend: str
) -> Finding:
    seen = f"{what} → {', '.join(saw) or 'nothing'}"
    if [name.lower() for name in saw] == [expected.lower()]:
        return passed(check, subject, seen)
    return failed(check, subject, seen, expected=f"exactly {expected}", mend=mend)


def port_25(source: Egress, dial: Dial) -> list[Finding]:
    """What a well-known exchanger answered when it was dialled as this source."""
    if not dial.connected:
        return [
            failed(
                "egress.port-25",
                source.name,
                f"no connection to {dial.exchanger}:25 from {source.private}: {dial.error}",
                expected="a greeting",
                mend="ask AWS to lift the block on port 25 (ping8 doctor --before-launch prints "
                "the request); check that the proxy's security group lets 25 out",
            ),
            unknown("egress.seen-as", source.name, "port 25 did not answer"),
        ]
    reached = passed("egress.port-25", source.name, f"{dial.exchanger}: {dial.greeting[:60]}")
    return [reached, _seen_as(source, dial)]


def _seen_as(source: Egress, dial: Dial) -> Finding:
    if not dial.ehlo_accepted:
        return failed(
            "egress.seen-as",
            source.name,
            f"EHLO {source.ehlo} refused: {dial.ehlo_answer[:80]}",
            expected="250",
            mend="mend reverse DNS of the source first",
        )
    if not dial.seen_address:
        return unknown("egress.seen-as", source.name, f"{dial.exchanger} does not say whom it sees")
    if dial.seen_address != source.public:
        return failed(
            "egress.seen-as",
            source.name,
            f"{dial.exchanger} sees {dial.seen_address}",
            expected=source.public,
            mend="check the Elastic IP's association with the source's private address: pulumi up",
        )
    return passed("egress.seen-as", source.name, f"{dial.exchanger} sees {dial.seen_address}")


def block_lists(source: Egress, lists: Sequence[str], resolver: Resolver) -> list[Finding]:
    """Whether asked DNS block lists name the address; their terms are the operator's to keep."""
    reverse = ".".join(reversed(str(ipaddress.ip_address(source.public)).split(".")))
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
                mend="find and stop what caused it, then ask the list to remove the address",
            )
        ]
    if refused:
        return [
            warned(
                "egress.block-lists",
                source.name,
                f"{', '.join(refused)} refuses this resolver",
                expected="an answer",
                mend="ask through a resolver of your own; public ones are refused",
            )
        ]
    return [passed("egress.block-lists", source.name, f"on none of {len(lists)} lists")]


def _refusal(code: str) -> bool:
    """127.255.255.0/24 says that the list does not serve the asking resolver."""
    return ipaddress.ip_address(code) in ipaddress.ip_network("127.255.255.0/24")
