"""Bounce reports (RFC 3464) and abuse reports (RFC 5965), read as kumod reads them."""

from __future__ import annotations

import base64
import binascii
import email
import email.message
import email.policy
import json
from email.utils import parsedate_to_datetime
from typing import Any

from standins.kumod import headers as hdr
from standins.kumod.errors import KumoError

_RETURNED = (
    "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"
)  # fmt: skip


def _parts(data: bytes, report_type: str | None) -> list[email.message.Message] | None:
    mail = email.message_from_bytes(data, policy=email.policy.compat32)
    if mail.get_content_type() != "multipart/report":
        return None
    if report_type is not None and mail.get_param("report-type") != report_type:
        return None
    payload = mail.get_payload()
    return list(payload) if isinstance(payload, list) else []  # type: ignore[arg-type]


def _body(part: email.message.Message) -> bytes:
    """A part's content, also where the parser made a message of it."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return b"\r\n".join(child.as_bytes() for child in payload)  # type: ignore[union-attr]
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _original(parts: list[email.message.Message]) -> bytes | None:
    original = None
    for part in parts:
        if part.get_content_type() in _RETURNED:
            original = _body(part).replace(b"\r\n", b"\n")
    return original


def _fields(block: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, raw in hdr.parse_headers(block):
        found.setdefault(name.lower(), []).append(hdr.decode_value(hdr.unfold(raw)))
    return found


def _single(fields: dict[str, list[str]], name: str) -> str | None:
    values = fields.pop(name, None)
    if values is None:
        return None
    if len(values) != 1:
        raise KumoError(f"header {name} should have only a single value")
    return values[0]


def _required(fields: dict[str, list[str]], name: str) -> str:
    value = _single(fields, name)
    if value is None:
        raise KumoError(f"required header {name} is not present")
    return value


def _typed(text: str | None, first: str, second: str) -> dict[str, str] | None:
    if text is None:
        return None
    kind, semicolon, value = text.partition(";")
    if not semicolon:
        raise KumoError(f"expected '{first}; {second}', got {text}")
    return {first: kind.strip(), second: value.strip()}


def _date(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).isoformat().replace("+00:00", "Z")
    except ValueError:
        return None


def _status(text: str) -> dict[str, Any]:
    code, _, comment = text.partition(" ")
    numbers = code.split(".")
    try:
        klass, subject, detail = (int(number) for number in numbers)
    except ValueError:
        raise KumoError(f"invalid Status: {text}") from None
    return {"class": klass, "subject": subject, "detail": detail, "comment": comment or None}


def parse_bounce_report(data: bytes) -> dict[str, Any] | None:
    """The report, or None if the message is none; an error if it is a broken one."""
    parts = _parts(data, None)
    if parts is None:
        return None
    original = _original(parts)
    for part in parts:
        if part.get_content_type() in (
            "message/delivery-status",
            "message/global-delivery-status",
        ):
            return _bounce_report(part, original)
    raise KumoError("delivery-status part missing")


def _bounce_report(part: email.message.Message, original: bytes | None) -> dict[str, Any]:
    payload = part.get_payload()
    if isinstance(payload, list):
        blocks = [child.as_bytes() for child in payload]  # type: ignore[union-attr]
    else:
        blocks = _body(part).replace(b"\r\n", b"\n").strip().split(b"\n\n")
    blocks = [block for block in blocks if block.strip()]
    if not blocks:
        raise KumoError("missing per-message section")
    return {
        "per_message": _per_message(_fields(blocks[0])),
        "per_recipient": [_per_recipient(_fields(block)) for block in blocks[1:]],
        "original_message": original.decode("utf-8", "replace") if original else None,
    }


def _per_message(fields: dict[str, list[str]]) -> dict[str, Any]:
    mta = ("mta_type", "name")
    return {
        "reporting_mta": _typed(_required(fields, "reporting-mta"), *mta),
        "original_envelope_id": _single(fields, "original-envelope-id"),
        "dsn_gateway": _typed(_single(fields, "dsn-gateway"), *mta),
        "received_from_mta": _typed(_single(fields, "received-from-mta"), *mta),
        "arrival_date": _date(_single(fields, "arrival-date")),
        "extensions": fields,
    }


def _per_recipient(fields: dict[str, list[str]]) -> dict[str, Any]:
    recipient = ("recipient_type", "recipient")
    action = _required(fields, "action")
    if action not in ("failed", "delayed", "delivered", "relayed", "expanded"):
        raise KumoError(f"invalid action type {action}")
    return {
        "final_recipient": _typed(_required(fields, "final-recipient"), *recipient),
        "action": action,
        "status": _status(_required(fields, "status")),
        "original_recipient": _typed(_single(fields, "original-recipient"), *recipient),
        "remote_mta": _typed(_single(fields, "remote-mta"), "mta_type", "name"),
        "diagnostic_code": _typed(
            _single(fields, "diagnostic-code"), "diagnostic_type", "diagnostic"
        ),
        "last_attempt_date": _date(_single(fields, "last-attempt-date")),
        "final_log_id": _single(fields, "final-log-id"),
        "will_retry_until": _date(_single(fields, "will-retry-until")),
        "extensions": fields,
    }


def parse_abuse_report(data: bytes) -> dict[str, Any] | None:
    """An ARF report with the decoded trace of the original, or None."""
    parts = _parts(data, "feedback-report")
    if parts is None:
        return None
    original = _original(parts)
    trace = _supplemental_trace(original) if original else None
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            return _abuse_report(_fields(_body(part)), original, trace)
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
    arrival = _single(fields, "arrival-date")
    incidents = _single(fields, "incidents")
    mail_from = _single(fields, "original-mail-from")
    return {
        "feedback_type": _required(fields, "feedback-type"),
        "user_agent": _required(fields, "user-agent"),
        "version": _required(fields, "version"),
        "arrival_date": _date(arrival or _single(fields, "received-date")),
        "incidents": int(incidents) if incidents else None,
        "original_envelope_id": _single(fields, "original-envelope-id"),
        "original_mail_from": mail_from.strip("<> ") if mail_from is not None else None,
        "reporting_mta": _typed(_single(fields, "reporting-mta"), "mta_type", "name"),
        "source_ip": _single(fields, "source-ip"),
        "authentication_results": fields.pop("authentication-results", []),
        "original_rcpto_to": [a.strip("<> ") for a in fields.pop("original-rcpt-to", [])],
        "reported_domain": fields.pop("reported-domain", []),
        "reported_uri": fields.pop("reported-uri", []),
        "extensions": fields,
        "original_message": original.decode("utf-8", "replace") if original else None,
        "supplemental_trace": trace,
    }
