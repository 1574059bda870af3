"""Texts of SPF, DKIM and DMARC, and their encoding for DNS."""

import base64
import ipaddress
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from policy.settings.domains import Dmarc

STRING_LIMIT = 255
"""Bytes of one character-string (RFC 1035, 3.3)."""


def chunks(text: str, limit: int = STRING_LIMIT) -> tuple[str, ...]:
    """The character-strings of a text: at most 255 bytes each, no character split."""
    parts: list[str] = []
    part = ""
    size = 0
    for character in text:
        width = len(character.encode())
        if size + width > limit:
            parts.append(part)
            part, size = "", 0
        part += character
        size += width
    return (*parts, part)


def quoted(text: str) -> str:
    """A text as a zone file writes it: quoted strings of at most 255 bytes, separated by spaces.

    Raises ValueError for what neither form can represent, such as a line break.
    """
    return " ".join(f'"{part}"' for part in _strings(text))


def route53_text(text: str) -> str:
    """A text as one item of the provider's `records`, which adds the outer quotes itself."""
    return '""'.join(_strings(text))


def spf(
    addresses: Iterable[str] = (), includes: Iterable[str] = (), *, otherwise: str = "-all"
) -> str:
    """An SPF record that allows these addresses and included records (RFC 7208)."""
    ips = [f"ip{_ip(address).version}:{address}" for address in addresses]
    return " ".join(["v=spf1", *(f"include:{name}" for name in includes), *ips, otherwise])


def dkim_record(public_key_pem: str) -> str:
    """The DKIM key record of a public key in PEM (RFC 6376, 3.6.1; Ed25519: RFC 8463)."""
    key = load_pem_public_key(public_key_pem.encode())
    if isinstance(key, RSAPublicKey):
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
    if isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    raise ValueError(f"DKIM does not support {type(key).__name__}; use RSA or Ed25519")


def dmarc_record(dmarc: Dmarc) -> str:
    """The DMARC record (RFC 7489, 6.3); relaxed alignment, since bounce domains are subdomains."""
    tags = [("v", "DMARC1"), ("p", dmarc.policy)]
    if dmarc.subdomain_policy is not None:
        tags.append(("sp", dmarc.subdomain_policy))
    if dmarc.report is not None:
        tags.append(("rua", f"mailto:{_uri(dmarc.report)}"))
    return "; ".join(f"{name}={value}" for name, value in tags)


def _strings(text: str) -> tuple[str, ...]:
    if not _printable(text):
        raise ValueError("a TXT value may only have printable ASCII characters")
    return tuple(_escaped(part) for part in chunks(text))


def _printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address)


def _uri(address: str) -> str:
    """DMARC uses commas as separators and exclamation marks for limits (RFC 7489, 6.2)."""
    return address.replace(",", "%2C").replace("!", "%21")
