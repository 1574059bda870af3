"""Private addresses of hosts and egress sources, chosen by name and not by AWS.

So they are known before AWS is asked, outlive interfaces, and a new source moves no other one.
"""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from policy.settings import Settings

_RESERVED_BY_AWS = 4
_FIRST = 10
"""Offset of the first address that we give away in a roomy subnet."""


@dataclass(frozen=True, kw_only=True)
class PrivateAddresses:
    """`proxies` holds the addresses of each proxy host's interface, the primary one first."""

    mta: str
    proxies: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, str]


class SubnetFull(ValueError):
    """More addresses are wanted than a subnet has; settings that were checked want fewer."""


def private_addresses(settings: Settings) -> PrivateAddresses:
    """Every address. A proxy host's first source sends from its primary address."""
    subnets = [_Subnet(cidr) for cidr in settings.network.subnets]
    mta = subnets[settings.mta.subnet].take("mta")
    proxies: dict[str, tuple[str, ...]] = {
        proxy.name: (subnets[proxy.subnet].take(f"proxy {proxy.name}"),)
        for proxy in settings.proxies
    }
    sources: dict[str, str] = {}
    for proxy in settings.proxies:
        for index, source in enumerate(settings.sources_of(proxy.name)):
            if index > 0:
                address = subnets[proxy.subnet].take(f"source {source.name}")
                proxies[proxy.name] = (*proxies[proxy.name], address)
            sources[source.name] = proxies[proxy.name][index]
    return PrivateAddresses(mta=mta, proxies=proxies, sources=sources)


class _Subnet:
    """Gives each key the place that its hash names, or the next free one."""

    def __init__(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr)
        first = _FIRST if network.num_addresses > 2 * _FIRST else _RESERVED_BY_AWS
        self._cidr = cidr
        self._places = range(first, network.num_addresses - 1)
        self._network = network
        self._taken: set[int] = set()

    def take(self, key: str) -> str:
        if len(self._taken) == len(self._places):
            raise SubnetFull(f"{self._cidr} has {len(self._places)} addresses to give")
        place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % len(self._places)
        while place in self._taken:
            place = (place + 1) % len(self._places)
        self._taken.add(place)
        return str(self._network[self._places[place]])
