"""Private addresses of hosts and egress sources, each derived from its own name, not by AWS.

So they are known in advance, survive a new interface, and adding, removing or moving one
changes no other. If two names lead to the same address, that is rejected, not resolved: a
resolution would depend on the rest of the list.
"""

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.settings.model import Settings

_RESERVED_BY_AWS = 4
_FIRST = 10
"""Offset of the first address that we assign in a large subnet."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class PrivateAddresses:
    """`proxies` has the addresses of each proxy host's interface, the primary one first."""

    mta: Mapping[str, str]
    proxies: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An address with its subnet, and the setting that overrides it."""

    path: Path
    address: str
    subnet: str
    pinned: bool


def private_addresses(settings: Settings) -> PrivateAddresses:
    """Every address. A proxy host's first source sends from its primary address."""
    found = {place.path: place.address for place in places(settings)}
    index = {source.name: i for i, source in enumerate(settings.sources)}
    proxies: dict[str, tuple[str, ...]] = {}
    for i, proxy in enumerate(settings.proxies):
        rest = settings.sources_of(proxy.name)[1:]
        secondary = (found["sources", index[source.name], "privateAddress"] for source in rest)
        proxies[proxy.name] = (found["proxies", i, "privateAddress"], *secondary)
    return PrivateAddresses(
        mta={host: found["mta", "privateAddresses", host] for host in settings.mta.host_names},
        proxies=proxies,
        sources={
            source.name: address
            for proxy in settings.proxies
            for source, address in zip(
                settings.sources_of(proxy.name), proxies[proxy.name], strict=False
            )
        },
    )


def places(settings: Settings) -> Iterator[Place]:
    """Every assigned address; a proxy's first source has none of its own."""
    subnets, mta = settings.network.subnets, settings.mta
    for host in mta.host_names:
        subnet, pinned = subnets[mta.subnet_of(host)], mta.private_addresses.get(host)
        yield _place(("mta", "privateAddresses", host), subnet, host, pinned)
    proxies = {proxy.name: proxy for proxy in settings.proxies}
    for i, proxy in enumerate(settings.proxies):
        subnet = subnets[proxy.subnet]
        path = ("proxies", i, "privateAddress")
        yield _place(path, subnet, f"proxy {proxy.name}", proxy.private_address)
    for i, source in enumerate(settings.sources):
        if source.proxy not in proxies or settings.sources_of(source.proxy)[0] == source:
            continue
        # The key includes the proxy: a source that moves must not need its old host's address.
        key = f"source {source.name} on {source.proxy}"
        subnet = subnets[proxies[source.proxy].subnet]
        yield _place(("sources", i, "privateAddress"), subnet, key, source.private_address)


def free_address(settings: Settings, subnet: str) -> str | None:
    """The first free address of a subnet, or None if it is full."""
    taken = {place.address for place in places(settings)}
    network = ipaddress.IPv4Network(subnet)
    return next((str(network[i]) for i in usable(network) if str(network[i]) not in taken), None)


def usable(network: ipaddress.IPv4Network) -> range:
    """Offsets of unreserved addresses, without the first few if there is room."""
    first = _FIRST if network.num_addresses > 2 * _FIRST else _RESERVED_BY_AWS
    return range(first, network.num_addresses - 1)


def _place(path: Path, subnet: str, key: str, pinned: str | None) -> Place:
    network = ipaddress.IPv4Network(subnet)
    offsets = usable(network)
    chosen = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % len(offsets)
    address = pinned or str(network[offsets[chosen]])
    return Place(path=path, address=address, subnet=subnet, pinned=pinned is not None)
