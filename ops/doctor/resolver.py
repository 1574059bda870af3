"""DNS as the outside world sees it: bounded, cached look-ups against given or system resolvers."""

import enum
import functools
import ipaddress
import threading
from collections.abc import Collection, Sequence

import checkdmarc.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.CAA
import dns.rdtypes.ANY.MX
import dns.rdtypes.txtbase
import dns.resolver
import dns.reversename
import dns.rrset
import spf

from ops.local import local_stack
from policy.errors import UsageError

_PAYLOAD = 1232


class LookupFailed(Exception):
    """No answer, or a broken one: nothing is known about the name."""

    def __init__(self, name: str, reason: str, *, what: str = "") -> None:
        super().__init__(f"{what} {name}: {reason}".lstrip())
        self.name, self.reason = name, reason


class Dnssec(enum.StrEnum):
    """What is known of a zone's signatures."""

    UNSIGNED = "not signed"
    VALID = "signed and valid"
    BROKEN = "signed, but its signatures or keys do not hold"


class Resolver:
    """Look-ups for all checks. An empty list means that the name or the type does not exist.

    `servers` are addresses, each with an optional port (`192.0.2.1:5353`); none takes the system's.
    Raises `LookupFailed` if no server answers within `seconds`.
    """

    def __init__(
        self, servers: Sequence[str] = (), *, seconds: float = 4.0, authority_port: int = 53
    ) -> None:
        self._seconds = seconds
        self._authority_port = authority_port
        self.dnspython = _dnspython(servers, seconds, dns.flags.RD)
        self._unchecked = _dnspython(servers, seconds, dns.flags.RD | dns.flags.CD)
        self._zones: dict[str, str] = {}
        self._lock = threading.Lock()

    def answers(self) -> bool:
        """Whether a server answers at all: it is asked for the root."""
        try:
            self.texts(".", "NS")
        except LookupFailed:
            return False
        return True

    def answer(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """dnspython's answer, with its chain of CNAMEs; None if there is no such record."""
        try:
            return self.dnspython.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except dns.exception.DNSException as error:
            raise LookupFailed(name, _reason(error), what=kind) from error

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
        """The names that a chain of CNAMEs goes through, the asked one first.

        It may lead to a name that does not exist.
        """
        try:
            answer = self.dnspython.resolve(name, kind, search=False, raise_on_no_answer=False)
            chain = answer.chaining_result
        except dns.resolver.NXDOMAIN as error:
            # It is the last name that does not exist (RFC 6604).
            last = error.response(dns.name.from_text(name))  # type: ignore[no-untyped-call]
            chain = last.resolve_chaining()
        except dns.exception.DNSException as error:
            raise LookupFailed(name, _reason(error), what=kind) from error
        passed = [rrset.name.to_text(True) for rrset in chain.cnames]
        return [*passed, chain.canonical_name.to_text(True)]

    def dnssec(self, name: str) -> Dnssec:
        """The state of the zone that holds a name.

        A resolver that validates answers what is broken only when asked not to check.
        """
        try:
            zone = self.zone(name)
            answer = self.answer(zone, "SOA")
        except LookupFailed:
            if self._answers_unchecked(name):
                return Dnssec.BROKEN
            raise
        if answer and answer.response.flags & dns.flags.AD:
            return Dnssec.VALID
        if not self.texts(zone, "DS"):
            return Dnssec.UNSIGNED
        # The resolver does not validate: the zone's keys and signatures are judged here.
        valid = checkdmarc.dnssec.check_dnssec(
            name, nameservers=self.dnspython.nameservers, timeout=self._seconds
        )
        return Dnssec.VALID if valid else Dnssec.BROKEN

    def _answers_unchecked(self, name: str) -> bool:
        try:
            self._unchecked.resolve(name, "SOA", search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return True
        except dns.exception.DNSException:
            return False
        return True

    def zone(self, name: str) -> str:
        """The zone that holds a name."""
        with self._lock:
            known = self._zones.get(name)
        if known is None:
            try:
                found = dns.resolver.zone_for_name(name, resolver=self.dnspython)
            except dns.exception.DNSException as error:
                raise LookupFailed(name, _reason(error), what="zone of") from error
            known = found.to_text(omit_final_dot=True)
            with self._lock:
                self._zones[name] = known
        return known

    def authorities(self, name: str) -> dict[str, list[str]]:
        """Name servers of the zone that holds a name, with their addresses."""
        return {server: self.addresses(server) for server in self.texts(self.zone(name), "NS")}

    def ask(self, server: str, name: str, kind: str) -> list[str]:
        """An authoritative server's own answer for a name: its records, or its CNAME."""
        response = self._direct(server, name, kind)
        if not response.flags & dns.flags.AA:
            raise LookupFailed(server, f"it does not serve {name}")
        wanted = (dns.rdatatype.from_text(kind), dns.rdatatype.CNAME)
        return _texts_of(name, response.answer, wanted)

    def delegated(self, server: str, zone: str) -> list[str]:
        """A zone's name servers from a server of its parent, in a referral or an answer."""
        response = self._direct(server, zone, "NS")
        return _texts_of(zone, [*response.answer, *response.authority], (dns.rdatatype.NS,))

    def _direct(self, server: str, name: str, kind: str) -> dns.message.Message:
        query = dns.message.make_query(name, kind, payload=_PAYLOAD)
        query.flags &= ~dns.flags.RD
        try:
            response, _ = dns.query.udp_with_fallback(
                query, server, timeout=self._seconds, port=self._authority_port
            )
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailed(server, _reason(error)) from error
        if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise LookupFailed(server, f"it answers {dns.rcode.to_text(response.rcode())}")
        if response.flags & dns.flags.RA and not response.flags & dns.flags.AA:
            raise LookupFailed(
                server, f"a resolver answers in its place, or it does not serve {name}"
            )
        return response

    def authorizations(self, name: str) -> list[dns.rdtypes.ANY.CAA.CAA]:
        """CAA records of a name itself."""
        return list(self.answer(name, "CAA") or ())

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


def _dnspython(servers: Sequence[str], seconds: float, flags: int) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=not servers)
    if servers:
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(*endpoint(server)) for server in servers
        ]
    resolver.lifetime = seconds
    resolver.timeout = min(1.0, seconds)
    resolver.flags = flags
    resolver.use_edns(0, dns.flags.DO, _PAYLOAD)
    resolver.cache = dns.resolver.LRUCache(50_000)
    return resolver


def _texts_of(
    name: str, rrsets: Sequence[dns.rrset.RRset], kinds: Collection[dns.rdatatype.RdataType]
) -> list[str]:
    return sorted(
        record.to_text().rstrip(".")
        for rrset in rrsets
        if rrset.name == dns.name.from_text(name) and rrset.rdtype in kinds
        for record in rrset
    )


def _reason(error: Exception) -> str:
    if isinstance(error, dns.exception.Timeout):
        return "no DNS server answered"
    if isinstance(error, dns.resolver.NoNameservers):
        return "every DNS server failed (SERVFAIL or refused)"
    if isinstance(error, dns.resolver.NoRootSOA):
        return "the DNS server says that not even the root exists"
    return f"{type(error).__name__} {error}".strip()


def _for_spf(kind: str, record: dns.rdata.Rdata) -> object:
    if kind in ("A", "AAAA"):
        return record.to_text()
    if isinstance(record, dns.rdtypes.ANY.MX.MX):
        return record.preference, record.exchange.to_text()
    if isinstance(record, dns.rdtypes.txtbase.TXTBase):
        return record.strings
    return record.to_text().rstrip(".")


def servers_of(stack: str, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The DNS servers to ask: those given, or a local stack's own; none means the system's.

    Raises `UsageError` for what is not an address.
    """
    for server in given:
        try:
            endpoint(server)
        except ValueError:
            raise UsageError(
                f"--resolver {server}: write an IPv4 address, such as 192.0.2.53 or 192.0.2.53:5353"
            ) from None
    local = local_stack(stack)
    return tuple(given) or ((local.resolver,) if local else ())


@functools.cache
def endpoint(server: str) -> tuple[str, int]:
    """Address and port of `ADDRESS[:PORT]`; raises ValueError for anything else."""
    address, separator, port = server.partition(":")
    ipaddress.IPv4Address(address)
    return address, int(port) if separator else 53
