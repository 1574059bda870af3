"""DNS: the host's resolver, or a table in tests."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Protocol


class ResolveError(Exception):
    """The name did not resolve."""


class Resolver(Protocol):
    """What the engine asks of DNS."""

    def mx(self, domain: str) -> list[tuple[int, str]]: ...

    def addresses(self, host: str) -> list[str]: ...


def mail_hosts(resolver: Resolver, domain: str) -> list[str]:
    """A domain's mail servers in order; those of an address literal are the address itself."""
    if domain.startswith("[") and domain.endswith("]"):
        return [domain[1:-1].removeprefix("IPv6:")]
    return [host for _, host in resolver.mx(domain)]


class FakeResolver:
    """Every domain has one mail server, unless the tables say otherwise.

    A domain that maps to an empty list does not exist.
    """

    def __init__(
        self,
        *,
        mx: Mapping[str, Sequence[str]] | None = None,
        a: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._mx = dict(mx or {})
        self._a = dict(a or {})
        self.asked: list[tuple[str, str]] = []

    def mx(self, domain: str) -> list[tuple[int, str]]:
        self.asked.append(("MX", domain))
        hosts = self._mx.get(domain, [f"mx.{domain}"])
        if not hosts:
            raise ResolveError(f"MX lookup for {domain} failed: NXDOMAIN")
        return [(10 * (index + 1), host) for index, host in enumerate(hosts)]

    def addresses(self, host: str) -> list[str]:
        self.asked.append(("A", host))
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            pass
        found = self._a.get(host, ["192.0.2.25"])
        if not found:
            raise ResolveError(f"A lookup for {host} failed: NXDOMAIN")
        return list(found)
