"""DNS: the host's resolver, or a table in tests. IPv4 only."""

import ipaddress
from collections.abc import Mapping, Sequence

from standins.kumod.errors import KumoError


class ResolveError(KumoError):
    """The name did not resolve."""


class Resolver:
    """Mail servers and addresses, by the records that `ask` finds."""

    def ask(self, name: str, kind: str) -> list[str]:
        """The records as text. Raises `ResolveError`."""
        raise NotImplementedError

    def mx(self, domain: str) -> list[tuple[int, str]]:
        records = (record.split() for record in self.ask(domain, "MX"))
        named = sorted((int(preference), host.rstrip(".") or ".") for preference, host in records)
        return named or [(0, domain)]

    def addresses(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            return self.ask(host, "A")


def mail_hosts(resolver: Resolver, domain: str) -> list[str]:
    """A domain's mail servers in order; an address literal is its own server."""
    if domain.startswith("[") and domain.endswith("]"):
        return [domain[1:-1].removeprefix("IPv6:")]
    return [host for _, host in resolver.mx(domain)]


class FakeResolver(Resolver):
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

    def ask(self, name: str, kind: str) -> list[str]:
        if kind == "MX":
            hosts = self._mx.get(name, [f"mx.{name}"])
            found = [f"{10 * place} {host}" for place, host in enumerate(hosts, 1)]
        else:
            found = list(self._a.get(name, ["192.0.2.25"]))
        if not found:
            raise ResolveError(f"{kind} lookup for {name} failed: NXDOMAIN")
        return found


class SystemResolver(Resolver):
    """Asks the servers of /etc/resolv.conf."""

    def ask(self, name: str, kind: str) -> list[str]:
        # Most commands ask nothing, and end sooner without the library.
        import dns.exception  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        try:
            return [str(record) for record in dns.resolver.resolve(name, kind, lifetime=5.0)]
        except (dns.exception.DNSException, OSError) as error:
            reason = type(error).__name__
            if reason == "NoAnswer" and kind == "MX":
                return []
            raise ResolveError(f"{kind} lookup for {name} failed: {reason}") from None
