"""Headers of a message as bytes on the wire, and as text that a policy reads."""

from __future__ import annotations

import email.header
import re
from email.utils import getaddresses
from typing import Any

import idna

from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject

#: The empty line, first of all or after the line end of a header.
_HEADER_END = re.compile(rb"\A\r?\n|(?<=\r\n)\r\n|(?<=\n)\n")


def split_message(data: bytes) -> tuple[bytes, bytes]:
    """The header block (with its last line end), and what follows the empty line."""
    match = _HEADER_END.search(data)
    return (data[: match.start()], data[match.end() :]) if match else (data, b"")


def parse_headers(block: bytes) -> list[tuple[str, bytes]]:
    """(name, the header's raw bytes with its line ends), in order."""
    headers: list[tuple[str, bytes]] = []
    for line in block.splitlines(keepends=True):
        if line[:1] in (b" ", b"\t") and headers:
            name, raw = headers[-1]
            headers[-1] = (name, raw + line)
            continue
        if not line.strip():
            continue
        name_bytes, _, _ = line.partition(b":")
        headers.append((name_bytes.strip().decode("utf-8", "surrogateescape"), line))
    return headers


def raw_value(raw: bytes) -> bytes:
    """The value as sent, folding included, without the outer white space."""
    return raw.partition(b":")[2].strip()


def unfold(raw: bytes) -> str:
    """The value on one line, still encoded."""
    joined = re.sub(rb"\r?\n([ \t])", rb"\1", raw_value(raw))
    return joined.decode("utf-8", "surrogateescape")


def decode_value(text: str) -> str:
    if "=?" not in text or "=?utf-7?" in text.lower():
        return text
    try:
        return str(email.header.make_header(email.header.decode_header(text)))
    except (ValueError, LookupError):
        return text


def encode_value(text: str) -> str:
    if text.isascii():
        return text
    return email.header.Header(text, "utf-8", maxlinelen=75).encode(linesep="\r\n")


_WRAPPED, _CUT = 75, 900


def wrap_value(text: str) -> str:
    """A value in lines, broken at blanks; any word that is too long is cut."""
    lines: list[str] = []
    for word in re.findall(r"[^ \t\r\n]+", text):
        if lines and len(lines[-1]) + 1 + len(word) <= _WRAPPED:
            lines[-1] += f" {word}"
        else:
            lines += [word[at : at + _CUT] for at in range(0, len(word), _CUT)]
    return "\r\n\t".join(lines)


def written_value(text: str) -> str:
    """A value as kumod writes it: in lines, or in encoded words where it is not ASCII."""
    return wrap_value(text) if text.isascii() else encode_value(text)


_ATOM = r"[^\s@<>()\[\],;:\\\".\x00-\x1f\x7f]+"
_LOCAL_PART = re.compile(rf'(?:"(?:[^"\\\r\n]|\\.)*"|{_ATOM}(?:\.{_ATOM})*)')
_LABEL = (
    r"[^\s@<>()\[\],;:\\\".\x00-\x1f\x7f/|!#$%&'*+=?^`{}~-][^\s@<>()\[\],;:\\\".\x00-\x1f\x7f/|]*"
)
_DOMAIN = re.compile(rf"(?:\[(?:IPv6:)?[0-9A-Fa-f.:]+\]|{_LABEL}(?:\.{_LABEL})*)")


class EnvelopeAddress(LuaObject):
    """An address of the envelope; empty for the null sender."""

    kind = "EnvelopeAddress"

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def parse(cls, text: str) -> EnvelopeAddress:
        bare = text.strip()
        if bare.startswith("<") and bare.endswith(">"):
            bare = bare[1:-1]
        if bare == "" or bare.lower() == "postmaster":
            return cls(bare)
        local, at, domain = bare.rpartition("@")
        if not at or not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
            raise KumoError(f"invalid address: {text}")
        try:
            plain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            raise KumoError(f"invalid domain: {domain}") from None
        return cls(f"{local}@{plain}")

    @property
    def user(self) -> str:
        return self.text.rpartition("@")[0] or self.text

    @property
    def domain(self) -> str:
        return self.text.rpartition("@")[2] if "@" in self.text else ""

    def field(self, name: str) -> Any:
        return {"user": self.user, "domain": self.domain, "email": self.text}.get(name)

    def __str__(self) -> str:
        return self.text


_WORD = r"(?:\"(?:[^\"\\]|\\.)*\"|[^\s@<>()\[\],;:\\\"]+)"
_ADDRESS = rf"\s*{_LOCAL_PART.pattern}\s*@\s*{_DOMAIN.pattern}\s*"
_MAILBOX = rf"(?:{_ADDRESS}|\s*(?:{_WORD}(?:\s+{_WORD})*)?\s*<{_ADDRESS}>\s*)"
_MAILBOXES = re.compile(rf"{_MAILBOX}(?:,{_MAILBOX})*")


class AddressHeader(LuaObject):
    """The mailboxes of an address header; its fields require exactly one."""

    kind = "AddressHeader"

    def __init__(self, mailboxes: list[tuple[str, str]]) -> None:
        self.mailboxes = mailboxes

    @classmethod
    def parse(cls, name: str, text: str) -> AddressHeader:
        # Python reads what kumod refuses: a name without a bracket, two brackets, a colon.
        bare = re.sub(r"\([^()]*\)", " ", text)
        readable = name.lower() != "from" or _MAILBOXES.fullmatch(bare)
        mailboxes = [(decode_value(display), a) for display, a in getaddresses([text]) if a]
        if not readable or not mailboxes or any("@" not in a.strip("@") for _, a in mailboxes):
            raise KumoError(f"Invalid header: parsing {name} header: {text}")
        return cls(mailboxes)

    def field(self, name: str) -> Any:
        if len(self.mailboxes) != 1:
            raise KumoError("Attempted to coerce an AddressHeader with multiple addresses to one")
        ((display, address),) = self.mailboxes
        user, _, domain = address.rpartition("@")
        fields = {"name": display or None, "user": user, "domain": domain, "email": address}
        return fields.get(name)
