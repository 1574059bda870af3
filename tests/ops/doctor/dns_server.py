"""A small authoritative server on loopback, so that checks meet real DNS answers."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Records = Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Server:
    """What is served, and how: a resolver that validates, or zones whose signatures are broken."""

    records: Records
    vouches: bool = False
    broken: frozenset[str] = frozenset()
    recursive: bool = False


@contextlib.contextmanager
def serving(
    records: Records,
    *,
    vouches: bool = False,
    broken: Iterable[str] = (),
    recursive: bool = False,
    address: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[str]:
    """Serves records by (name, type) and yields the server's `address:port`.

    With `vouches` answers carry the AD flag; names below `broken` ones fail but for who asks not
    to check (the CD flag). A `recursive` one has no authority for what it answers.
    """
    play = Server(records=records, vouches=vouches, broken=frozenset(broken), recursive=recursive)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(answer(data, play), self.client_address)

    with socketserver.ThreadingUDPServer((address, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{address}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def answer(data: bytes, play: Server) -> bytes:
    """One response: the records of that name and type, its chain of CNAMEs, or NXDOMAIN."""
    query = dns.message.from_wire(data)
    records = play.records
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA | dns.flags.RA
    question = query.question[0]
    name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
    if play.recursive:
        response.flags &= ~dns.flags.AA
    if play.vouches:
        response.flags |= dns.flags.AD
    if not query.flags & dns.flags.CD and any(
        name.is_subdomain(dns.name.from_text(zone)) for zone in play.broken
    ):
        response.set_rcode(dns.rcode.SERVFAIL)
        return response.to_wire()
    exists = False
    for _ in range(8):
        text = name.to_text(omit_final_dot=True).lower()
        # A name above another exists, too (RFC 8020); the last of a chain decides (RFC 6604).
        exists = any(f".{owner}".endswith(f".{text}") for owner, _ in records)
        if (text, kind) in records:
            response.answer.append(_rrset(name, kind, records[text, kind]))
            break
        if (text, "CNAME") not in records:
            break
        response.answer.append(_rrset(name, "CNAME", records[text, "CNAME"]))
        name = dns.name.from_text(records[text, "CNAME"][0])
    if not exists:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


def _rrset(name: dns.name.Name, kind: str, values: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, 60, dns.rdataclass.IN, kind, list(values))


def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
