"""DNS as the outside world sees it: bounded, cached look-ups against given or system resolvers."""

import ipaddress
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.nameserver
import dns.rdata
import dns.rdtypes.ANY.MX
import dns.rdtypes.txtbase
import dns.resolver
import dns.reversename
import spf


class LookupFailed(Exception):
    """No answer, or a broken one: nothing is known about the name."""


class Resolver:
    """Look-ups for all checks. An empty list means that the name or the type does not exist.

    `servers` are addresses, each with an optional port (`192.0.2.1:5353`); none takes the system's.
    Raises `LookupFailed` where no server gave an answer within `seconds`.
    """

    def __init__(self, servers: Sequence[str] = (), *, seconds: float = 4.0) -> None:
        self.dnspython = dns.resolver.Resolver(configure=not servers)
        if servers:
            endpoints = [_endpoint(server) for server in servers]
            self.dnspython.nameservers = [
                dns.nameserver.Do53Nameserver(address, port) for address, port in endpoints
            ]
        self.dnspython.lifetime = seconds
        self.dnspython.timeout = min(1.0, seconds)
        self.dnspython.use_edns(0, dns.flags.DO, 1232)
        self.dnspython.cache = dns.resolver.LRUCache(50_000)

    def answer(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """dnspython's answer, with its chain of CNAMEs; None where there is no such record."""
        try:
            return self.dnspython.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except dns.exception.DNSException as error:
            raise LookupFailed(f"{kind} {name}: {type(error).__name__}") from error

    def texts(self, name: str, kind: str) -> list[str]:
        """Record data in text, names without the final dot."""
        answer = self.answer(name, kind)
        return sorted(record.to_text().rstrip(".") for record in answer) if answer else []

    def addresses(self, name: str) -> list[str]:
        """A records."""
        return self.texts(name, "A")

    def pointers(self, address: str) -> list[str]:
        """PTR records of an address."""
        return self.texts(str(dns.reversename.from_address(address)), "PTR")

    def exchangers(self, name: str) -> list[str]:
        """Hosts of the MX records, best first."""
        answer = self.answer(name, "MX")
        if not answer:
            return []
        return [
            record.exchange.to_text(omit_final_dot=True)
            for record in sorted(answer, key=lambda r: r.preference)
        ]

    def txt(self, name: str) -> list[str]:
        """TXT records, the strings of each joined."""
        answer = self.answer(name, "TXT")
        if not answer:
            return []
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]

    def aliases(self, name: str, kind: str) -> list[str]:
        """The names that a chain of CNAMEs goes through, the asked one first."""
        answer = self.answer(name, kind)
        if not answer:
            return [name]
        chain = [rrset.name.to_text(True) for rrset in answer.chaining_result.cnames]
        return [*chain, answer.canonical_name.to_text(True)]

    def signed(self, name: str) -> bool:
        """Whether the resolver vouches for the answer (DNSSEC, AD flag)."""
        answer = self.answer(name, "SOA")
        return bool(answer and answer.response.flags & dns.flags.AD)

    def use_for_spf(self) -> None:
        """Makes pyspf, which has one look-up function for the whole process, ask these servers."""
        spf.DNSLookup = self._spf_lookup

    def _spf_lookup(
        self, name: str, kind: str, _tcp_fallback: bool = True, _seconds: float = 30
    ) -> list[tuple[tuple[str, str], object]]:
        try:
            answer = self.answer(name, kind)
        except LookupFailed as error:
            raise spf.TempError(f"DNS {error}") from error
        return [((name, kind), _for_spf(kind, record)) for record in answer or ()]


def _for_spf(kind: str, record: dns.rdata.Rdata) -> object:
    if kind in ("A", "AAAA"):
        return record.to_text()
    if isinstance(record, dns.rdtypes.ANY.MX.MX):
        return record.preference, record.exchange.to_text()
    if isinstance(record, dns.rdtypes.txtbase.TXTBase):
        return record.strings
    return record.to_text().rstrip(".")


def _endpoint(server: str) -> tuple[str, int]:
    address, separator, port = server.partition(":")
    ipaddress.ip_address(address)
    return address, int(port) if separator else 53
