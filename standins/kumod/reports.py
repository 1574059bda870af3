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
from email.message import Message as Fields
from typing import Any

from standins.kumod import headers as hdr
from standins.kumod.dates import parse_rfc2822
from standins.kumod.errors import KumoError
from standins.kumod.headers import EnvelopeAddress

_RETURNED = ("message/rfc822", "text/rfc822-headers")
_STATUS = ("message/delivery-status", "message/global-delivery-status")


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
    part = _Part(
        kind=content_type.partition(";")[0].strip() if content_type else None,
        encoding=given.get("content-transfer-encoding", "").strip().lower(),
        parameters=_parameters(content_type),
        raw=body,
    )
    boundary = part.parameters.get("boundary")
    if boundary and (part.kind or "").lower().startswith("multipart/"):
        part.parts = [_parse(section) for section in _sections(body, boundary)]
    return part


def _parameters(content_type: str | None) -> dict[str, str]:
    fields = Fields()
    fields["Content-Type"] = content_type or "text/plain"
    pairs = fields.get_params() or []
    return {name.lower(): value for name, value in pairs[1:]}


def _sections(body: bytes, boundary: str) -> list[bytes]:
    """What stands between the marks; an empty line before a mark stays with the part."""
    mark = b"\n--" + boundary.encode("utf-8", "surrogateescape")
    pieces = (b"\n" + body).split(mark)[1:]
    sections = []
    for piece in pieces:
        if piece.startswith(b"--"):
            break
        sections.append(piece.partition(b"\n")[2] + b"\n")
    return sections


def _original(parts: list[_Part]) -> bytes | None:
    returned = [part for part in parts if part.kind in _RETURNED]
    return returned[-1].raw.replace(b"\r\n", b"\n") if returned else None


def _fields(block: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, raw in hdr.parse_headers(block):
        value = hdr.unfold(raw)
        if not value.isprintable() and any("\udc80" <= char <= "\udcff" for char in value):
            raise KumoError(f"header {name} could not be converted to UTF-8")
        plain = " ".join(hdr.decode_value(value).split())
        found.setdefault(name.lower(), []).append(plain)
    return found


def _single(fields: dict[str, list[str]], name: str, convert: Callable[[str], Any]) -> Any:
    values = fields.pop(name, None)
    if values is None:
        return None
    if len(values) != 1:
        raise KumoError(f"header {name} should have only a single value")
    return convert(values[0])


def _required(fields: dict[str, list[str]], name: str, convert: Callable[[str], Any]) -> Any:
    value = _single(fields, name, convert)
    if value is None:
        raise KumoError(f"required header {name} is not present")
    return value


def _typed(first: str, second: str) -> Callable[[str], dict[str, str]]:
    def convert(text: str) -> dict[str, str]:
        kind, semicolon, value = text.partition(";")
        if not semicolon:
            raise KumoError(f"expected '{first}; {second}', got {text}")
        return {first: kind.strip(), second: value.strip()}

    return convert


_MTA = _typed("mta_type", "name")


def _recipient(text: str) -> dict[str, str]:
    found = _typed("recipient_type", "recipient")(text)
    if text.partition(";")[0] == "rfc822":
        found["recipient"] = str(EnvelopeAddress.parse(found["recipient"]))
    return found


def _date(text: str) -> str:
    return parse_rfc2822(text).isoformat().replace("+00:00", "Z")


def _status(text: str) -> dict[str, Any]:
    code, _, comment = text.partition(" ")
    try:
        klass, subject, detail = (int(number) for number in code.split(".")[:3])
    except ValueError:
        raise KumoError(f"invalid Status: {text}") from None
    return {"class": klass, "subject": subject, "detail": detail, "comment": comment or None}


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


def parse_bounce_report(data: bytes) -> dict[str, Any] | None:
    """The report, or None if the message is none; an error if it is a broken one."""
    mail = _parse(data)
    if mail.kind != "multipart/report":
        return None
    original = _original(mail.parts)
    for part in mail.parts:
        if part.kind in _STATUS:
            return _bounce_report(part.decoded(), original)
    raise KumoError("delivery-status part missing")


def _bounce_report(status: bytes, original: bytes | None) -> dict[str, Any]:
    text = status.decode("utf-8", "replace").replace("\r\n", "\n").strip()
    first, *blocks = (block.encode() for block in text.split("\n\n"))
    return {
        "per_message": _per_message(_fields(first)),
        "per_recipient": [_per_recipient(_fields(block)) for block in blocks],
        "original_message": original.decode("utf-8", "replace") if original is not None else None,
    }


def _per_message(fields: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "reporting_mta": _required(fields, "reporting-mta", _MTA),
        "original_envelope_id": _single(fields, "original-envelope-id", str),
        "dsn_gateway": _single(fields, "dsn-gateway", _MTA),
        "received_from_mta": _single(fields, "received-from-mta", _MTA),
        "arrival_date": _single(fields, "arrival-date", _date),
        "extensions": fields,
    }


def _per_recipient(fields: dict[str, list[str]]) -> dict[str, Any]:
    diagnostic = _typed("diagnostic_type", "diagnostic")
    return {
        "final_recipient": _required(fields, "final-recipient", _recipient),
        "action": _required(fields, "action", _action),
        "status": _required(fields, "status", _status),
        "original_recipient": _single(fields, "original-recipient", _recipient),
        "remote_mta": _single(fields, "remote-mta", _MTA),
        "diagnostic_code": _single(fields, "diagnostic-code", diagnostic),
        "last_attempt_date": _single(fields, "last-attempt-date", _date),
        "final_log_id": _single(fields, "final-log-id", str),
        "will_retry_until": _single(fields, "will-retry-until", _date),
        "extensions": fields,
    }


def parse_abuse_report(data: bytes) -> dict[str, Any] | None:
    """An ARF report with the decoded trace of the original, or None."""
    mail = _parse(data)
    if mail.kind != "multipart/report" or mail.parameters.get("report-type") != "feedback-report":
        return None
    original = _original(mail.parts)
    trace = _supplemental_trace(original) if original else None
    for part in mail.parts:
        if part.kind == "message/feedback-report":
            return _abuse_report(_fields(part.raw), original, trace)
    raise KumoError("feedback-report part missing")


def _supplemental_trace(original: bytes) -> Any:
    """kumod takes the first X- header that holds its marker."""
    for name, raw in hdr.parse_headers(hdr.split_message(original)[0]):
        if not name.startswith(("X-", "x-")):
            continue
        encoded = b"".join(hdr.raw_value(raw).split())
        try:
            payload = json.loads(base64.b64decode(encoded, validate=True))
        except (ValueError, binascii.Error):
            continue
        if isinstance(payload, dict) and payload.pop("_@_", None) == "\\_/":
            return payload
    return None


def _abuse_report(
    fields: dict[str, list[str]], original: bytes | None, trace: Any
) -> dict[str, Any]:
    return {
        "feedback_type": _required(fields, "feedback-type", str),
        "user_agent": _required(fields, "user-agent", str),
        "version": _required(fields, "version", str),
        "arrival_date": _tolerant_date(fields),
        "incidents": _single(fields, "incidents", _number),
        "original_envelope_id": _single(fields, "original-envelope-id", str),
        "original_mail_from": _single(fields, "original-mail-from", _address),
        "reporting_mta": _single(fields, "reporting-mta", _MTA),
        "source_ip": _single(fields, "source-ip", str),
        "authentication_results": fields.pop("authentication-results", []),
        "original_rcpto_to": [_address(a) for a in fields.pop("original-rcpt-to", [])],
        "reported_domain": fields.pop("reported-domain", []),
        "reported_uri": fields.pop("reported-uri", []),
        "extensions": fields,
        "original_message": original.decode("utf-8", "replace") if original is not None else None,
        "supplemental_trace": trace,
    }


def _tolerant_date(fields: dict[str, list[str]]) -> str | None:
    """The only field whose faults cost itself alone."""
    try:
        found: str | None = _single(fields, "arrival-date", _date)
        if found is None:
            found = _single(fields, "received-date", _date)
    except KumoError:
        return None
    return found
