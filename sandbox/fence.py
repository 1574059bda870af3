"""The rules of a VPC as one nftables script: security groups, Elastic IPs, link-local services.

Pure: the same picture of the VPC gives the same script. What AWS does that is easy to get wrong:
an Elastic IP is translated on the way, never on the interface; traffic to an Elastic IP from
inside the VPC arrives from the sender's Elastic IP and matches no rule about groups; the resolver
and the metadata service are beyond security groups; rules are stateful.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal, NamedTuple

from sandbox.files import fill
from standins.pulumi.hosts import Interface, Network, Rule


class Redirect(NamedTuple):
    """An address and port, as hosts know it, that another socket serves."""

    protocol: Literal["tcp", "udp"]
    address: str
    port: int
    to_address: str
    to_port: int


_OPEN = [
    Rule(group="", direction="ingress", protocol="-1", cidr="0.0.0.0/0"),
    Rule(group="", direction="egress", protocol="-1", cidr="0.0.0.0/0"),
]
"""Of an interface without groups, as a network load balancer has."""


@dataclass(frozen=True, kw_only=True)
class Fence(Network):
    """Everything that decides where the VPC's packets go.

    `services` are link-local or AWS addresses that no security group covers.
    """

    services: tuple[Redirect, ...] = ()


def render(fence: Fence, *, outside: str) -> str:
    """The whole table; `outside` names the links that leave the VPC."""
    public = sorted(fence.elastic.items())
    return fill(
        "fence.nft.j2",
        table="ping8",
        outside=outside,
        vpc=fence.vpc,
        hosts=[_host(fence, each) for each in fence.interfaces],
        services=fence.services,
        service_addresses=_set({each.address for each in fence.services}),
        public=_set(fence.elastic),
        private=_set(fence.elastic.values()),
        to_private=_set(f"{ours} : {own}" for ours, own in public),
        to_public=_set(f"{own} : {ours}" for ours, own in public),
    )


def _host(fence: Fence, interface: Interface) -> Mapping[str, Any]:
    """A host's rules, each with its other side; rules that match nothing are left out."""

    def sides(direction: str, peers: Callable[[Fence, Rule], str]) -> list[tuple[str, Rule]]:
        judged = [each for each in fence.rules if each.group in interface.groups]
        mine = judged if interface.groups else _OPEN
        found = [(peers(fence, each), each) for each in mine if each.direction == direction]
        return [(side, rule) for side, rule in found if side]

    return {
        "name": "if_" + interface.address.replace(".", "_"),
        "addresses": interface.addresses,
        "egress": sides("egress", _peers),
        "ingress": sides("ingress", _peers),
        "ingress_public": sides("ingress", _public_peers),
    }


def _peers(fence: Fence, rule: Rule) -> str:
    """The other side of a rule; the sandbox uses only IPv4, as the egress path does."""
    if rule.cidr is not None:
        return rule.cidr if ip_network(rule.cidr, strict=False).version == 4 else ""
    members = (each for each in fence.interfaces if rule.peer_group in each.groups)
    return _set(address for each in members for address in each.addresses)


def _public_peers(fence: Fence, rule: Rule) -> str:
    """The other side for traffic between instances over public addresses."""
    if rule.cidr is None:
        return ""
    network = ip_network(rule.cidr, strict=False)
    return _set(own for public, own in fence.elastic.items() if ip_address(public) in network)


def _set(values: Iterable[str]) -> str:
    """nft's notation for a set or map; empty if there are none, as nft has no empty set."""
    found = ", ".join(sorted(values))
    return f"{{ {found} }}" if found else ""
