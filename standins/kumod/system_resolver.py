"""DNS by the host's resolver; IPv4 only."""

import importlib
import ipaddress
from functools import cached_property
from typing import Any

from standins.kumod.resolver import ResolveError


class SystemResolver:
    """Asks the servers of /etc/resolv.conf.

    The library is loaded with the first question: most commands ask none, and end sooner.
    """

    @cached_property
    def _dns(self) -> Any:
        return importlib.import_module("dns.resolver")

    @cached_property
    def _resolver(self) -> Any:
        resolver = self._dns.Resolver()
        resolver.lifetime = 5.0
        return resolver

    def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            return list(self._resolver.resolve(name, kind))
        except self._dns.NoAnswer:
            if kind == "MX":
                return []
            raise ResolveError(f"{kind} lookup for {name} failed: NoAnswer") from None
        except (importlib.import_module("dns.exception").DNSException, OSError) as error:
            nothing = isinstance(error, self._dns.NXDOMAIN)
            reason = "NXDOMAIN" if nothing else type(error).__name__
            raise ResolveError(f"{kind} lookup for {name} failed: {reason}") from None

    def mx(self, domain: str) -> list[tuple[int, str]]:
        found = self._ask(domain, "MX")
        named = sorted((rr.preference, str(rr.exchange).rstrip(".") or ".") for rr in found)
        return named or [(0, domain)]

    def addresses(self, host: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            return [str(rr) for rr in self._ask(host, "A")]
