"""The addresses that AWS assigns to a deployment; files and DNS records use them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Address:
    """One network identity: the address on the interface, and the public Elastic IP."""

    private: str
    public: str


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Addresses of one environment.

    `mta` maps an MTA host to its identity, `proxies` a proxy host to its primary identity (the one
    of its first source), `sources` an egress source to the identity that it sends from. `limits` is
    the name of the server in which several MTA hosts count their limits.
    """

    mta: Mapping[str, Address]
    proxies: Mapping[str, Address]
    sources: Mapping[str, Address]
    limits: str | None = None
