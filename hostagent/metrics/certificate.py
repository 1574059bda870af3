"""Days left of the certificate that Nginx serves now, whatever is on the disk."""

import datetime
import socket
import ssl
import time

from hostagent.metrics.configuration import Config
from hostagent.metrics.model import Metric

_LIMIT = 5.0
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


def days_left(config: Config) -> Metric:
    """From a TLS session over loopback."""
    # The doctor checks whether to trust it; here it is only read.
    context = ssl._create_unverified_context()  # noqa: S323
    host, _, port = config.tls.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=_LIMIT) as connection,
        context.wrap_socket(connection, server_hostname=config.tls_name) as session,
    ):
        certificate = session.getpeercert(binary_form=True)
    if not certificate:
        raise ValueError("Nginx shows no certificate")
    return Metric("certificate_days", (not_after(certificate) - time.time()) / 86400, "None")


def not_after(certificate: bytes) -> float:
    """The end of its validity (RFC 5280, 4.1), as Unix time."""
    _, certificate, _ = _element(certificate)
    _, rest, _ = _element(certificate)
    fields: list[bytes] = []
    while rest and len(fields) < 5:
        tag, content, rest = _element(rest)
        if tag != _VERSION:
            fields.append(content)
    # Serial number, signature, issuer, validity.
    _, _, after = _element(fields[3])
    tag, content, _ = _element(after)
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the certificate's validity cannot be read")
    moment = datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ")
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows of a DER element."""
    if len(data) < 2:
        raise ValueError("the certificate ends early")
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]
