"""Bounded HTTPS to a given address, and what its certificate is worth."""

import enum
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_BODY = 65_536


class Unreachable(Exception):
    """No answer: refused, timed out, or no TLS."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A TLS server: the name that it must present, and its address."""

    host: str
    address: str
    port: int = 443
    seconds: float = 8.0

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers (names in lower case) and the start of the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Distrust:
    """Why a client refuses a certificate, in OpenSSL's words."""

    reason: str
    expired: bool = False


class Port(enum.Enum):
    """What a TCP connection met."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"


def request(
    method: str,
    endpoint: Endpoint,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Asks without judging the chain (`distrust` does that)."""
    return _ask(_lenient(), method, endpoint, path, headers=headers, body=body)


def fetch(endpoint: Endpoint, path: str, ca_file: str | None) -> Answer:
    """GET as a client that judges the chain."""
    return _ask(_strict(ca_file), "GET", endpoint, path)


def certificate(endpoint: Endpoint) -> x509.Certificate:
    """The certificate that the server shows, whether it is trusted or not."""
    with _session(_lenient(), endpoint) as tls:
        shown = tls.getpeercert(binary_form=True)
    if not shown:
        raise Unreachable(f"{endpoint}: no certificate")
    return x509.load_der_x509_certificate(shown)


def distrust(
    endpoint: Endpoint, *, ca_file: str | None = None, trust: x509.Certificate | None = None
) -> Distrust | None:
    """Why a client refuses that trusts the system's authorities, those of `ca_file` and `trust`.

    None if trusted. Raises `Unreachable` for errors other than trust.
    """
    context = _strict(ca_file)
    if trust:
        context.load_verify_locations(cadata=trust.public_bytes(Encoding.PEM).decode())
    try:
        with _session(context, endpoint):
            return None
    except ssl.SSLCertVerificationError as error:
        return Distrust(
            reason=error.verify_message,
            expired=error.verify_code == _EXPIRED,
        )


_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED


def port(address: str, number: int, *, seconds: float = 4.0) -> Port:
    """Whether a TCP connection is accepted, refused, or not answered at all."""
    try:
        socket.create_connection((address, number), timeout=seconds).close()
    except ConnectionRefusedError:
        return Port.REFUSED
    except OSError:
        return Port.SILENT
    return Port.OPEN


def _ask(
    context: ssl.SSLContext,
    method: str,
    endpoint: Endpoint,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    connection = http.client.HTTPConnection(endpoint.host, timeout=endpoint.seconds)
    try:
        connection.sock = _session(context, endpoint)
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read(_BODY),
        )
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{endpoint}: {error}") from error
    finally:
        connection.close()


def _session(context: ssl.SSLContext, endpoint: Endpoint) -> ssl.SSLSocket:
    try:
        plain = socket.create_connection(
            (endpoint.address, endpoint.port), timeout=endpoint.seconds
        )
    except OSError as error:
        raise Unreachable(f"{endpoint}: {error}") from error
    try:
        return context.wrap_socket(plain, server_hostname=endpoint.host)
    except ssl.SSLCertVerificationError:
        plain.close()
        raise
    except OSError as error:
        plain.close()
        raise Unreachable(f"{endpoint}: {error}") from error


def _lenient() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _strict(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context
