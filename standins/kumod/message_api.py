"""The methods that a policy calls on a message."""

from __future__ import annotations

import re
import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from standins.kumod import headers as hdr
from standins.kumod import mime
from standins.kumod.contract import deserialize_with, named_type
from standins.kumod.errors import KumoError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.message import Message
from standins.kumod.objects import LuaObject, api, method

if TYPE_CHECKING:
    from standins.kumod.dkim import Signer
    from standins.kumod.lua import LuaContext

_ISSUES = (
    "MISSING_COLON_VALUE",
    "NON_CANONICAL_LINE_ENDINGS",
    "NAME_ENDS_WITH_SPACE",
    "LINE_TOO_LONG",
    "NEEDS_TRANSFER_ENCODING",
    "MISSING_DATE_HEADER",
    "MISSING_MESSAGE_ID_HEADER",
    "MISSING_MIME_VERSION",
)
_LONGEST_LINE = 998


@method("Message", "id")
def message_id(_ctx: LuaContext, message: Message) -> str:
    return message.id


@method("Message", "sender")
def sender(_ctx: LuaContext, message: Message) -> EnvelopeAddress:
    return message.sender


@method("Message", "recipient")
def recipient(_ctx: LuaContext, message: Message) -> EnvelopeAddress:
    return message.recipient


@method("Message", "set_sender")
def set_sender(_ctx: LuaContext, message: Message, address: Any) -> None:
    message.sender = _address(address)


def _address(value: Any) -> EnvelopeAddress:
    if isinstance(value, EnvelopeAddress):
        return value
    if not isinstance(value, str):
        raise KumoError("error converting Lua value to EnvelopeAddress (expected string)")
    return EnvelopeAddress.parse(value)


@method("Message", "num_attempts")
def num_attempts(_ctx: LuaContext, message: Message) -> int:
    return message.num_attempts


@method("Message", "get_meta")
def get_meta(_ctx: LuaContext, message: Message, name: str) -> Any:
    return message.meta.get(name)


@method("Message", "set_meta")
def set_meta(_ctx: LuaContext, message: Message, name: str, value: Any = None) -> None:
    if not isinstance(name, str):
        raise KumoError("bad argument #2: error converting Lua value to String")
    message.meta[name] = str(value) if isinstance(value, LuaObject) else value


@method("Message", "get_data")
def get_data(_ctx: LuaContext, message: Message) -> bytes:
    return message.data


@method("Message", "set_data")
def set_data(_ctx: LuaContext, message: Message, data: str) -> None:
    message.data = data.encode("utf-8", "surrogateescape")


# Headers -------------------------------------------------------------------


@method("Message", "from_header")
def from_header(_ctx: LuaContext, message: Message) -> Any:
    return message.address_header("From")


@method("Message", "to_header")
def to_header(_ctx: LuaContext, message: Message) -> Any:
    return message.address_header("To")


@method("Message", "get_first_named_header_value")
def get_first_named_header_value(_ctx: LuaContext, message: Message, name: str) -> str | None:
    return message.first_header(name)


@method("Message", "get_all_named_header_values")
def get_all_named_header_values(_ctx: LuaContext, message: Message, name: str) -> list[str]:
    return message.header_values(name)


@method("Message", "get_all_headers")
def get_all_headers(_ctx: LuaContext, message: Message) -> list[list[str]]:
    return [[name, hdr.decode_value(hdr.unfold(raw))] for name, raw in message.header_list()]


@method("Message", "prepend_header")
def prepend_header(
    _ctx: LuaContext, message: Message, name: str, value: str, encode: bool = False
) -> None:
    message.prepend_header(name, hdr.encode_value(value) if encode else value)


@method("Message", "remove_all_named_headers")
def remove_all_named_headers(_ctx: LuaContext, message: Message, name: str) -> None:
    message.retain_headers(lambda present: present.lower() != name.lower())


def _import(message: Message, names: Any, *, only_x: bool) -> None:
    wanted = {name.lower() for name in names} if names else None
    for present, raw in message.header_list():
        lower = present.lower()
        chosen = lower in wanted if wanted else (lower.startswith("x-") or not only_x)
        if chosen:
            message.meta[lower.replace("-", "_")] = hdr.decode_value(hdr.unfold(raw))


@method("Message", "check_fix_conformance")
def check_fix_conformance(
    ctx: LuaContext, message: Message, checks: str, fixes: str, _settings: Any = None
) -> str | None:
    """What is fixed is not complained about; missing headers are put at the end."""
    fixed = _issue_set(fixes)
    found = _issues(message)
    failed = [issue for issue in _ISSUES if issue in (_issue_set(checks) - fixed) & found]
    if failed:
        return f"Message has conformance issues: {'|'.join(failed)}"
    todo = fixed & found
    if any(not issue.startswith("MISSING_") or issue == "MISSING_COLON_VALUE" for issue in todo):
        message.data = mime.rebuild(mime.crlf(message.data))
    if "MISSING_DATE_HEADER" in todo:
        message.append_header("Date", formatdate(ctx.facts.clock.now(), localtime=False))
    if "MISSING_MESSAGE_ID_HEADER" in todo:
        domain = message.sender.domain or "localhost"
        message.append_header("Message-ID", f"<{uuid.uuid4().hex}@{domain}>")
    if "MISSING_MIME_VERSION" in todo and message.first_header("Mime-Version") != "1.0":
        message.retain_headers(lambda name: name.lower() != "mime-version")
        message.append_header("Mime-Version", "1.0")
    return None


def _issue_set(text: str) -> set[str]:
    names = {part.strip() for part in text.split("|") if part.strip()}
    for name in names:
        if name not in _ISSUES:
            raise KumoError(f"invalid MessageConformance flag '{name}', possible values are "
                            f"{', '.join(repr(issue) for issue in _ISSUES)}")  # fmt: skip
    return names


def _issues(message: Message) -> set[str]:
    found = set()
    block, body = hdr.split_message(message.data)
    fields = hdr.parse_headers(block)
    names = {name.lower() for name, _ in fields}
    if any(b":" not in raw for _, raw in fields):
        found.add("MISSING_COLON_VALUE")
    if any(re.match(rb"[^:\s]+[ \t]+:", raw) for _, raw in fields):
        found.add("NAME_ENDS_WITH_SPACE")
    if re.search(rb"(?<!\r)\n|\r(?!\n)", message.data):
        found.add("NON_CANONICAL_LINE_ENDINGS")
    if any(len(line) > _LONGEST_LINE for line in body.split(b"\r\n")):
        found.add("LINE_TOO_LONG")
    if not message.data.isascii():
        found.add("NEEDS_TRANSFER_ENCODING")
    if "date" not in names:
        found.add("MISSING_DATE_HEADER")
    if "message-id" not in names:
        found.add("MISSING_MESSAGE_ID_HEADER")
    if message.first_header("Mime-Version") != "1.0":
        found.add("MISSING_MIME_VERSION")
    return found


# Signatures and reports -----------------------------------------------------


@method("Message", "dkim_sign")
def dkim_sign(ctx: LuaContext, message: Message, signer: Signer) -> None:
    if getattr(signer, "kind", None) != "Signer":
        raise KumoError("bad argument #2: error converting Lua value to Signer")
    ctx.facts.counters["dkim.signature"] += 1
    message.prepend_header(
        "DKIM-Signature", signer.signature_header(message.data, ctx.facts.clock.now())
    )


@api("kumo.apply_supplemental_trace_header")
def apply_supplemental_trace_header(_ctx: LuaContext, message: Message, params: Any = None) -> None:
    options = deserialize_with(named_type("trace headers"), params) if params else None
    message.apply_trace(options)
