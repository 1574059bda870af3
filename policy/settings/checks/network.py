"""The VPC and its subnets."""

import ipaddress
import re
from collections.abc import Iterator

from policy.settings.checks.rule import check
from policy.settings.model import Settings
from policy.settings.private_addresses import Place, free_address, places
from policy.settings.problems import Finding, key_of

PRIVATE_NETWORKS = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
_LARGEST, _SMALLEST = 16, 28
_RESERVED_BY_AWS = 5


@check("network")
def vpc_is_private(settings: Settings) -> Iterator[Finding]:
    """Traffic to the proxies must stay in the private network."""
    vpc = ipaddress.IPv4Network(settings.network.cidr)
    if not any(vpc.subnet_of(private) for private in PRIVATE_NETWORKS):
        yield Finding(
            path=("network", "cidr"),
            value=settings.network.cidr,
            fix="use a private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or "
            "100.64.0.0/10): traffic to the proxies must not leave the VPC",
        )


@check("network")
def networks_have_a_size_of_aws(settings: Settings) -> Iterator[Finding]:
    """AWS allows /16 to /28 for a VPC and for a subnet."""
    network = settings.network
    places: list[tuple[tuple[str | int, ...], str]] = [(("network", "cidr"), network.cidr)]
    places += [(("network", "subnets", i), text) for i, text in enumerate(network.subnets)]
    for path, text in places:
        if not _LARGEST <= ipaddress.IPv4Network(text).prefixlen <= _SMALLEST:
            yield Finding(path=path, value=text, fix="AWS allows /16 to /28: change the prefix")


@check("network")
def subnets_lie_in_the_vpc(settings: Settings) -> Iterator[Finding]:
    """AWS would reject a subnet outside the VPC in the middle of an update."""
    vpc = ipaddress.IPv4Network(settings.network.cidr)
    for i, text in enumerate(settings.network.subnets):
        if not ipaddress.IPv4Network(text).subnet_of(vpc):
            yield Finding(
                path=("network", "subnets", i),
                value=text,
                fix=f"choose a part of the VPC's network, network.cidr = {vpc}",
            )


@check("network")
def subnets_do_not_overlap(settings: Settings) -> Iterator[Finding]:
    """Subnets cannot share addresses."""
    first, second = (ipaddress.IPv4Network(text) for text in settings.network.subnets)
    if first.overlaps(second):
        yield Finding(
            path=("network", "subnets", 1),
            value=str(second),
            fix=f"it overlaps subnets[0] = {first}: choose another part of the VPC",
        )


@check("network", "proxies", "sources", "mta")
def subnets_hold_their_hosts(settings: Settings) -> Iterator[Finding]:
    """Each host needs an address, and a proxy needs one per source."""
    needed = [0, 0]
    for host in settings.mta.host_names:
        needed[settings.mta.subnet_of(host)] += 1
    for proxy in settings.proxies:
        needed[proxy.subnet] += max(1, len(settings.sources_of(proxy.name)))
    for i, text in enumerate(settings.network.subnets):
        room = ipaddress.IPv4Network(text).num_addresses - _RESERVED_BY_AWS
        if needed[i] > room:
            yield Finding(
                path=("network", "subnets", i),
                value=text,
                fix=f"it has room for {max(room, 0)} addresses and needs {needed[i]}: make it "
                "larger, or move hosts by their `subnet`",
            )


@check("network", "region")
def zones_are_two_of_the_region(settings: Settings) -> Iterator[Finding]:
    """The subnets are in two different availability zones of the region."""
    zones = settings.network.availability_zones
    if zones is None:
        return
    for i, zone in enumerate(zones):
        if not re.fullmatch(rf"{re.escape(settings.region)}[a-z]", zone):
            yield Finding(
                path=("network", "availabilityZones", i),
                value=zone,
                fix=f"use a zone of the region, such as {settings.region}a",
            )
    if zones[0] == zones[1]:
        yield Finding(
            path=("network", "availabilityZones", 1),
            value=zones[1],
            fix="use another zone: with two zones, one may fail",
        )


@check("network", "proxies", "sources", "mta")
def private_addresses_differ(settings: Settings) -> Iterator[Finding]:
    """Two names may lead to the same address, which AWS would reject in the middle of an update."""
    held: dict[str, Place] = {}
    for place in sorted(places(settings), key=lambda place: not place.pinned):
        other = held.setdefault(place.address, place)
        if other is not place:
            free = free_address(settings, place.subnet)
            yield Finding(
                path=place.path,
                value=place.address,
                fix=f"{key_of(other.path)} has it too. "
                + (
                    f"Set another one for the newer of the two, such as {free}"
                    if free
                    else "The subnet is full: make it larger, or use the other one"
                ),
            )


@check("network", "proxies", "sources", "mta")
def pinned_addresses_are_of_the_subnet(settings: Settings) -> Iterator[Finding]:
    """AWS reserves the first four addresses of a subnet and the last one."""
    for place in places(settings):
        network = ipaddress.IPv4Network(place.subnet)
        offset = int(ipaddress.IPv4Address(place.address)) - int(network.network_address)
        if not 4 <= offset < network.num_addresses - 1:
            yield Finding(
                path=place.path,
                value=place.address,
                fix=f"choose one of its subnet {place.subnet}, without the first four and the last",
            )


@check("proxies", "sources")
def first_sources_have_the_hosts_address(settings: Settings) -> Iterator[Finding]:
    """The first source uses the host's address, so its own would be ignored."""
    for i, proxy in enumerate(settings.proxies):
        own = settings.sources_of(proxy.name)
        if proxy.primary_source is not None and proxy.primary_source not in {s.name for s in own}:
            yield Finding(
                path=("proxies", i, "primarySource"),
                value=proxy.primary_source,
                fix=f"choose a source of {proxy.name}: {', '.join(s.name for s in own) or 'none'}",
            )
        elif own and own[0].private_address is not None:
            yield Finding(
                path=("sources", settings.sources.index(own[0]), "privateAddress"),
                value=own[0].private_address,
                fix=f"it is the first source of {proxy.name}: set proxies[{i}].privateAddress",
            )
