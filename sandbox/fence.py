"""The rules of a VPC as one nftables script: security groups, Elastic IPs, link-local services.

Pure: the same picture of the VPC gives the same script. What AWS does that is easy to get wrong:
an Elastic IP is translated on the way, never on the interface; traffic to an Elastic IP from
inside the VPC arrives from the sender's Elastic IP and matches no rule about groups; the resolver
and the metadata service are beyond security groups; rules are stateful.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Literal

from standins.pulumi.hosts import Interface, Rule

TABLE = "ping8"


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """An address and port, as hosts know it, that another socket serves."""

    address: str
    port: int
    protocol: Literal["tcp", "udp"]
    to_address: str
    to_port: int


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Everything that decides which packet of the VPC goes where.

    `elastic` maps a public address to a private one. `services` are link-local or AWS addresses
    that no security group covers; `redirects` are ordinary destinations outside. `smtp_lifted`
    is AWS's block of outbound port 25, which an account has lifted on request.
    """

    vpc: str
    interfaces: tuple[Interface, ...] = ()
    rules: tuple[Rule, ...] = ()
    elastic: Mapping[str, str] = field(default_factory=dict)
    services: tuple[Redirect, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    smtp_lifted: bool = True

    def public_addresses(self, interface: Interface) -> tuple[str, ...]:
        """Elastic IPs of an interface."""
        return tuple(
            public
            for public, private in sorted(self.elastic.items())
            if private in interface.addresses
        )


@dataclass(frozen=True, kw_only=True)
class _Side:
    """How a packet shows its other side; egress is judged by the destination before translation."""

    peer: str
    port: str
    verdict: str


EGRESS = _Side(peer="ct original ip daddr", port="ct original proto-dst", verdict="return")
INGRESS = _Side(peer="ip saddr", port="th dport", verdict="accept")


def render(fence: Fence, *, outside: str) -> str:
    """The whole table, replaced in one transaction; `outside` names the links that leave the VPC.

    Connections that are already tracked live on, as on AWS.
    """
    chains = [chain for each in fence.interfaces for chain in _interface_chains(fence, each)]
    return "\n".join(
        [
            f"table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *_indent(chains),
            *_indent(_forward(fence, outside)),
            *_indent(_arriving(fence)),
            *_indent(_leaving(fence, outside)),
            "}",
            "",
        ]
    )


def _forward(fence: Fence, outside: str) -> list[str]:
    hosts = [(address, each) for each in fence.interfaces for address in each.addresses]
    public = sorted(fence.elastic)
    lines = [
        "type filter hook forward priority filter; policy drop;",
        "ct state established,related accept",
        "ct state invalid drop",
        f'iifname "{outside}" oifname "{outside}" accept',
        *_to_services(fence),
        # From outside, hosts answer at their public addresses alone.
        f'iifname "{outside}" ct status & dnat == 0 counter drop',
    ]
    if not fence.smtp_lifted:
        lines.append(f'oifname "{outside}" tcp dport 25 counter drop')
    if hosts:
        lines.append(f"ip saddr vmap {_verdicts(hosts, 'jump', 'egress')}")
    if hosts and public:
        lines.append(
            f"ct original ip daddr {_set(public)} ip saddr {fence.vpc} "
            f"ip daddr vmap {_verdicts(hosts, 'goto', 'ingress_public')}"
        )
    if hosts:
        lines.append(f"ip daddr vmap {_verdicts(hosts, 'goto', 'ingress')}")
    if public:
        # Without a public address there is no way out: the design has no NAT gateway.
        lines.append(f'oifname "{outside}" ip saddr {_set(sorted(fence.elastic.values()))} accept')
    return _chain("forward", [*lines, "counter drop"])


def _interface_chains(fence: Fence, interface: Interface) -> list[str]:
    mine = [each for each in fence.rules if each.group in interface.groups]
    egress = [
        line
        for each in mine
        if each.direction == "egress"
        for line in _matches(fence, each, EGRESS)
    ]
    ingress = [
        line
        for each in mine
        if each.direction == "ingress"
        for line in _matches(fence, each, INGRESS)
    ]
    hairpin = [
        line
        for each in mine
        if each.direction == "ingress"
        for line in _public_matches(fence, each)
    ]
    name = _name(interface)
    lines: list[str] = []
    for suffix, body in (("egress", egress), ("ingress", ingress), ("ingress_public", hairpin)):
        lines += _chain(f"{name}_{suffix}", [*body, "counter drop"])
    return lines


def _matches(fence: Fence, rule: Rule, side: _Side) -> list[str]:
    if rule.cidr is not None:
        # The sandbox speaks IPv4 alone, as the egress path does.
        if ip_network(rule.cidr, strict=False).version != 4:
            return []
        peers = rule.cidr
    else:
        members = sorted(
            address
            for each in fence.interfaces
            if rule.peer_group in each.groups
            for address in each.addresses
        )
        if not members:
            return []
        peers = _set(members)
    return [f"{side.peer} {peers} {_ports(rule, side.port)}{side.verdict}"]


def _public_matches(fence: Fence, rule: Rule) -> list[str]:
    """The rule as seen by traffic between instances that goes by public addresses."""
    if rule.cidr is None:
        return []
    network = ip_network(rule.cidr, strict=False)
    senders = sorted(
        private for public, private in fence.elastic.items() if ip_address(public) in network
    )
    return [f"ip saddr {_set(senders)} {_ports(rule, INGRESS.port)}accept"] if senders else []


def _ports(rule: Rule, field: str) -> str:
    if rule.protocol in ("-1", "all"):
        return ""
    protocol = f"meta l4proto {rule.protocol} "
    low, high = rule.from_port, rule.to_port
    if rule.protocol == "icmp" or low is None or high is None:
        return protocol
    return f"{protocol}{field} {low if low == high else f'{low}-{high}'} "


def _arriving(fence: Fence) -> list[str]:
    lines = ["type nat hook prerouting priority dstnat;"]
    lines += [
        f"ip daddr {each.address} {each.protocol} dport {each.port} "
        f"dnat ip to {each.to_address}:{each.to_port}"
        for each in (*fence.services, *fence.redirects)
    ]
    if fence.elastic:
        lines.append(f"dnat ip to ip daddr map {_map(sorted(fence.elastic.items()))}")
    return _chain("arriving", lines)


def _leaving(fence: Fence, outside: str) -> list[str]:
    lines = ["type nat hook postrouting priority srcnat;", *_to_services(fence)]
    if fence.elastic:
        to_public = sorted((private, public) for public, private in fence.elastic.items())
        translate = f"snat ip to ip saddr map {_map(to_public)}"
        public = _set(sorted(fence.elastic))
        lines += [
            f"ct original ip daddr {public} ip saddr {fence.vpc} {translate}",
            f'oifname "{outside}" {translate}',
        ]
    return _chain("leaving", lines)


def _to_services(fence: Fence) -> list[str]:
    addresses = sorted({each.address for each in fence.services})
    return [f"ct original ip daddr {_set(addresses)} accept"] if addresses else []


def _verdicts(hosts: Iterable[tuple[str, Interface]], verb: str, chain: str) -> str:
    return _map((address, f"{verb} {_name(each)}_{chain}") for address, each in hosts)


def _name(interface: Interface) -> str:
    return "if_" + interface.address.replace(".", "_")


def _chain(name: str, lines: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", *_indent(lines), "}"]


def _set(values: Iterable[str]) -> str:
    return "{ " + ", ".join(values) + " }"


def _map(pairs: Iterable[tuple[str, str]]) -> str:
    return _set(f"{key} : {value}" for key, value in pairs)


def _indent(lines: Iterable[str]) -> list[str]:
    return ["\t" + line for line in lines]
