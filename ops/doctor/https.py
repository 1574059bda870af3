"""One bounded HTTPS request to a given address, with the certificate that was shown."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509


class Unreachable(Exception):
    """No answer: refused, timed out, or no TLS."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers (names in lower case) and the server's certificate."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


def request(
    method: str,
    host: str,
    path: str,
    *,
    address: str,
    port: int = 443,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 8.0,
) -> Answer:
    """Asks `host` at `address`; the chain is not judged here (`chain_problem` does that)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPConnection(host, timeout=seconds)
    try:
        plain = socket.create_connection((address, port), timeout=seconds)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        response.read(65536)
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
        )
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{address}:{port}: {error}") from error
    finally:
        connection.close()


def certificate(
    host: str, *, address: str, port: int = 443, seconds: float = 8.0
) -> x509.Certificate:
    """The certificate that the server shows, whether it is trusted or not."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
    except OSError as error:
        raise Unreachable(f"{address}:{port}: {error}") from error
    if not shown:
        raise Unreachable(f"{address}:{port}: no certificate")
    return x509.load_der_x509_certificate(shown)


def chain_problem(
    host: str, *, address: str, ca_file: str | None, port: int = 443, seconds: float = 8.0
) -> str | None:
    """Why a client that trusts the system's authorities (and `ca_file`) refuses; None: it trusts.

    Raises `Unreachable` where it is no matter of trust.
    """
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    try:
        with (
            socket.create_connection((address, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError as error:
        raise Unreachable(f"{address}:{port}: {error}") from error


def open_port(address: str, port: int, *, seconds: float = 4.0) -> bool:
    """Whether a TCP connection is accepted."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except OSError:
        return False
    return True
