"""DNS by the host's resolver; IPv4 only."""

from __future__ import annotations

import ipaddress

import dns.exception
import dns.resolver

from standins.kumod.resolver import ResolveError


class SystemResolver:
    """Asks the servers of /etc/resolv.conf; IPv4 only, after /etc/hosts."""

    def __init__(self) -> None:
        self._resolver = dns.resolver.Resolver()
        self._resolver.lifetime = 5.0

    def mx(self, domain: str) -> list[tuple[int, str]]:
        try:
            answer = self._resolver.resolve(domain, "MX")
        except dns.resolver.NoAnswer:
            return [(0, domain)]
        except (dns.exception.DNSException, OSError) as error:
            raise ResolveError(_reason(error, domain, "MX")) from None
        return sorted((rr.preference, str(rr.exchange).rstrip(".") or ".") for rr in answer)

    def addresses(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            pass
        try:
            return [str(rr) for rr in self._resolver.resolve(host, "A")]
        except (dns.exception.DNSException, OSError) as error:
            raise ResolveError(_reason(error, host, "A")) from None

    def txt(self, name: str) -> list[str]:
        try:
            answer = self._resolver.resolve(name, "TXT")
        except (dns.exception.DNSException, OSError) as error:
            raise ResolveError(_reason(error, name, "TXT")) from None
        return [b"".join(rr.strings).decode("utf-8", "replace") for rr in answer]


def _reason(error: Exception, name: str, kind: str) -> str:
    code = "NXDOMAIN" if isinstance(error, dns.resolver.NXDOMAIN) else type(error).__name__
    return f"{kind} lookup for {name} failed: {code}"
