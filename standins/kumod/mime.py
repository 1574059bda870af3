"""MIME as kumod's builder writes it: injected content is parsed and rebuilt."""

import base64
import email
import email.message
import email.policy
import quopri
import re
import secrets
from collections.abc import Mapping

from standins.kumod import headers as hdr
from standins.kumod.data import load
from standins.kumod.errors import KumoError

_LONGEST_LINE = 998
_HEADERS = load("headers")
_CANONICAL_NAMES = {name.lower(): name for name in _HEADERS["canonical"]}


def crlf(data: bytes) -> bytes:
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def rebuild(data: bytes) -> bytes:
    """The message as kumod re-encodes it: structure headers first, Mime-Version added."""
    block, _ = hdr.split_message(data)
    fields = hdr.parse_headers(block)
    content = _rebuild_part(email.message_from_bytes(data, policy=email.policy.compat32))
    structure, _, body = content.partition(b"\r\n\r\n")
    lines = [structure]
    seen = set()
    for name, raw in fields:
        seen.add(name.lower())
        if b":" not in raw:
            lines.append(name.encode() + b"\r\n: ")
        elif name.lower() not in _HEADERS["structure"]:
            lines += _rebuild_header(name, hdr.unfold(raw))
    if "mime-version" not in seen:
        lines.append(b"Mime-Version: 1.0")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _rebuild_header(name: str, value: str) -> list[bytes]:
    """The header's line; None if its addresses cannot be parsed."""
    shown = _CANONICAL_NAMES.get(name.lower(), name)
    if name.lower() not in _HEADERS["addresses"]:
        value = hdr.written_value(hdr.decode_value(value))
    else:
        try:
            if name.lower() == "from":
                hdr.AddressHeader.parse(name, value)
            if not value.isascii():
                mailboxes = hdr.AddressHeader.parse("address", value).mailboxes
                value = ", ".join(format_mailbox(*mailbox) for mailbox in mailboxes)
        except KumoError:
            return []
    return [f"{shown}: {value}".encode("utf-8", "surrogateescape")]


def format_mailbox(display: str | None, address: str) -> str:
    if not display:
        return f"<{address}>"
    if not display.isascii():
        return f"{hdr.encode_value(display)} <{address}>"
    escaped = display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'


def _rebuild_part(part: email.message.Message) -> bytes:
    if part.is_multipart():
        children = part.get_payload()
        built = [_rebuild_part(child) for child in children]  # type: ignore[arg-type]
        return _multipart(part.get_content_type(), built, part.get_boundary())
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    kind = part.get_content_type()
    if part.get_content_maintype() == "text":
        charset = part.get_content_charset() or "utf-8"
        try:
            return text_part(kind, raw.decode(charset))
        except (UnicodeDecodeError, LookupError):
            return text_part(kind, raw.decode("utf-8", "replace"))
    return _binary_part(kind, raw, part.get_filename(), part.get("Content-ID"))


def text_part(kind: str, text: str) -> bytes:
    """A text part, encoded only where it must be."""
    body = crlf(text.encode("utf-8", "surrogateescape"))
    longest = max((len(line) for line in body.split(b"\r\n")), default=0)
    if body.isascii() and longest <= _LONGEST_LINE:
        return f'Content-Type: {kind};\r\n\tcharset="us-ascii"\r\n\r\n'.encode() + body
    encoded = crlf(quopri.encodestring(body.replace(b"\r\n", b"\n")))
    head = (
        f'Content-Type: {kind};\r\n\tcharset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    return head.encode() + encoded


def _binary_part(kind: str, data: bytes, file_name: str | None, content_id: str | None) -> bytes:
    lines = [f"Content-Type: {kind}"]
    if file_name or content_id:
        disposition = "inline" if content_id else "attachment"
        named = f';\r\n\tfilename="{file_name}"' if file_name else ""
        lines.append(f"Content-Disposition: {disposition}{named}")
    if content_id:
        lines.append(f"Content-ID: <{content_id.strip('<>')}>")
    lines.append("Content-Transfer-Encoding: base64")
    body = crlf(base64.encodebytes(data))
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _multipart(kind: str, parts: list[bytes], boundary: str | None = None) -> bytes:
    mark = boundary or f"{secrets.token_urlsafe(12)}"
    body = b"".join(f"--{mark}\r\n".encode() + part.rstrip(b"\r\n") + b"\r\n" for part in parts)
    head = f'Content-Type: {kind};\r\n\tboundary="{mark}"\r\n\r\n'
    return head.encode() + body + f"--{mark}--\r\n".encode()


def build(bodies: list[bytes], fields: Mapping[str, str], recipient: str) -> bytes:
    """A message from the injection API's parts; the structure's headers come first."""
    if not bodies:
        raise KumoError("at least one of text_body and/or html_body must be given")
    content = bodies[0] if len(bodies) == 1 else _multipart("multipart/alternative", bodies)
    structure, _, body = content.partition(b"\r\n\r\n")
    lines = [structure]
    lines += [
        f"{name}: {hdr.written_value(value)}".encode("utf-8", "surrogateescape")
        for name, value in fields.items()
    ]
    # The name of a recipient comes in as it is, line breaks included.
    lines.append(crlf(f"To: {recipient}".encode()))
    if "mime-version" not in {name.lower() for name in fields}:
        lines.append(b"Mime-Version: 1.0")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
