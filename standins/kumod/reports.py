"""Bounce reports (RFC 3464) and abuse reports (RFC 5965), read as kumod reads them.

kumod takes media types as they are written, and gives up the whole report for one field that it
cannot read.
"""

from __future__ import annotations

import base64
import binascii
import json
import quopri
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from standins.kumod import headers as hdr
from standins.kumod.data import load
from standins.kumod.dates import parse_rfc2822
from standins.kumod.errors import KumoError
from standins.kumod.headers import EnvelopeAddress

_RETURNED = ("message/rfc822", "text/rfc822-headers")
_STATUS = ("message/delivery-status", "message/global-delivery-status")
_KNOWN = load("reports")


@dataclass(kw_only=True)
class _Part:
    """A part of a message: its media type as written, its raw body, the parts in it."""

    kind: str | None
    encoding: str
    parameters: dict[str, str]
    raw: bytes
    parts: list[_Part] = field(default_factory=list)

    def decoded(self) -> bytes:
        if self.encoding == "base64":
            try:
                return base64.b64decode(b"".join(self.raw.split()), validate=True)
            except binascii.Error as error:
                raise KumoError(f"base64 decode: {error}") from None
        return quopri.decodestring(self.raw) if self.encoding == "quoted-printable" else self.raw


def _parse(data: bytes) -> _Part:
    block, body = hdr.split_message(data)
    given = {name.lower(): hdr.unfold(raw) for name, raw in reversed(hdr.parse_headers(block))}
    content_type = given.get("content-type")
    fields = Message()
    fields["Content-Type"] = content_type or "text/plain"
    part = _Part(
        kind=content_type.partition(";")[0].strip() if content_type else None,
        encoding=given.get("content-transfer-encoding", "").strip().lower(),
        parameters={name.lower(): value for name, value in (fields.get_params() or [])[1:]},
        raw=body,
    )
    boundary = part.parameters.get("boundary")
    if boundary and (part.kind or "").lower().startswith("multipart/"):
        part.parts = [_parse(section) for section in _sections(body, boundary)]
    return part


def _sections(body: bytes, boundary: str) -> list[bytes]:
    """The text between the boundaries; an empty line before one belongs to the part."""
    mark = b"\n--" + boundary.encode("utf-8", "surrogateescape")
    pieces = (b"\n" + body).split(mark)[1:]
    sections = []
    for piece in pieces:
        if piece.startswith(b"--"):
            break
        sections.append(piece.partition(b"\n")[2] + b"\n")
    return sections


Fields = dict[str, list[str]]
Convert = Callable[[str], Any]


def _fields(block: bytes) -> Fields:
    found: Fields = {}
    for name, raw in hdr.parse_headers(block):
        value = hdr.unfold(raw)
        if any("\udc80" <= char <= "\udcff" for char in value):
            raise KumoError(f"header {name} could not be converted to UTF-8")
        found.setdefault(name.lower(), []).append(" ".join(hdr.decode_value(value).split()))
    return found


def _single(fields: Fields, name: str, convert: Convert) -> Any:
    """The value of a field that may occur once; it is removed from the fields."""
    values = fields.pop(name, [])
    if len(values) > 1:
        raise KumoError(f"header {name} should have only a single value")
    return convert(values[0]) if values else None


def _read(fields: Fields, block: str) -> dict[str, Any]:
    """The fields of such a block that kumod knows."""
    found = {}
    for marked, kind in _KNOWN[block].items():
        name = marked.removesuffix("!")
        value = _single(fields, name, _CONVERT[kind])
        if value is None and name != marked:
            raise KumoError(f"required header {name} is not present")
        found[name.replace("-", "_")] = value
    return found


def _typed(first: str, second: str) -> Callable[[str], dict[str, str]]:
    def convert(text: str) -> dict[str, str]:
        kind, semicolon, value = text.partition(";")
        if not semicolon:
            raise KumoError(f"expected '{first}; {second}', got {text}")
        return {first: kind.strip(), second: value.strip()}

    return convert


def _recipient(text: str) -> dict[str, str]:
    found = _typed("recipient_type", "recipient")(text)
    if text.partition(";")[0] == "rfc822":
        found["recipient"] = _address(found["recipient"])
    return found


def _date(text: str) -> str:
    return parse_rfc2822(text).isoformat().replace("+00:00", "Z")


def _status(text: str) -> tuple[int, int, int]:
    try:
        klass, subject, detail = (int(number) for number in text.partition(" ")[0].split(".")[:3])
    except ValueError:
        raise KumoError(f"invalid Status: {text}") from None
    return klass, subject, detail


def _action(text: str) -> str:
    if text not in ("failed", "delayed", "delivered", "relayed", "expanded"):
        raise KumoError(f"invalid action type {text}")
    return text


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise KumoError(f"failed to convert '{text}': invalid digit found in string")
    return int(text)


def _address(text: str) -> str:
    return str(EnvelopeAddress.parse(text))


_CONVERT: dict[str, Convert] = {
    "action": _action,
    "address": _address,
    "date": _date,
    "diagnostic": _typed("diagnostic_type", "diagnostic"),
    "mta": _typed("mta_type", "name"),
    "number": _number,
    "recipient": _recipient,
    "status": _status,
    "text": str,
}


def parse_bounce_report(data: bytes) -> dict[str, Any] | None:
    """The report, None if the message is not one, or an error if it is broken."""
    mail = _parse(data)
    if mail.kind != "multipart/report":
        return None
    status = next((part for part in mail.parts if part.kind in _STATUS), None)
    if status is None:
        raise KumoError("delivery-status part missing")
    text = status.decoded().decode("utf-8", "replace").replace("\r\n", "\n").strip()
    first, *blocks = (_fields(block.encode()) for block in text.split("\n\n"))
    report = _read(first, "message")
    report["recipients"] = [_read(block, "recipient") for block in blocks]
    return report


def parse_abuse_report(data: bytes) -> dict[str, Any] | None:
    """An ARF report with the decoded trace of the original, or None."""
    mail = _parse(data)
    if mail.kind != "multipart/report" or mail.parameters.get("report-type") != "feedback-report":
        return None
    found = [part for part in mail.parts if part.kind == "message/feedback-report"]
    if not found:
        raise KumoError("feedback-report part missing")
    original = next((part for part in reversed(mail.parts) if part.kind in _RETURNED), None)
    text = original.raw.replace(b"\r\n", b"\n") if original else None
    fields = _fields(found[0].raw)
    return {
        **_read(fields, "abuse"),
        "arrival_date": _tolerant_date(fields),
        "authentication_results": fields.pop("authentication-results", []),
        "original_rcpto_to": [_address(a) for a in fields.pop("original-rcpt-to", [])],
        "reported_domain": fields.pop("reported-domain", []),
        "reported_uri": fields.pop("reported-uri", []),
        "extensions": fields,
        "original_message": text.decode("utf-8", "replace") if text is not None else None,
        "supplemental_trace": _supplemental_trace(text) if text else None,
    }


def _supplemental_trace(original: bytes) -> Any:
    """kumod takes the first X- header that holds its marker."""
    for name, raw in hdr.parse_headers(hdr.split_message(original)[0]):
        if not name.startswith(("X-", "x-")):
            continue
        encoded = b"".join(hdr.raw_value(raw).split())
        try:
            payload = json.loads(base64.b64decode(encoded, validate=True))
        except ValueError:
            continue
        if isinstance(payload, dict) and payload.pop("_@_", None) == "\\_/":
            return payload
    return None


def _tolerant_date(fields: Fields) -> Any:
    """The only field whose errors do not reject the whole report."""
    try:
        arrival = _single(fields, "arrival-date", _date)
        return arrival or _single(fields, "received-date", _date)
    except KumoError:
        return None
