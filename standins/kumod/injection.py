"""The HTTP injection API's request, turned into messages."""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from standins.kumod import mime
from standins.kumod.contract import deserialize_with, named_type
from standins.kumod.errors import KumoError
from standins.kumod.field_types import Refused
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.message import Message
from standins.kumod.templates import render


class BadRequest(Exception):
    """The request itself is refused, before any recipient is looked at."""


def check_request(body: Any) -> dict[str, Any]:
    """The request, if its shape is right."""
    try:
        named_type("injection")(body)
    except Refused as refusal:
        raise BadRequest(
            f"Failed to deserialize the JSON body into the target type: {refusal}"
        ) from None
    request: dict[str, Any] = deserialize_with(named_type("injection"), body)
    return request


def expand(
    request: Mapping[str, Any], recipient: Mapping[str, Any], *, message_id: str, peer: str,
    now: float,
) -> bytes:  # fmt: skip
    """The message's bytes for one recipient."""
    values = {
        **(request.get("substitutions") or {}),
        "email": recipient["email"],
        **({"name": recipient["name"]} if recipient.get("name") else {}),
        **(recipient.get("substitutions") or {}),
    }
    dialect = request.get("template_dialect", "Jinja")
    content = request["content"]
    if isinstance(content, str):
        text = render(content, values, dialect=dialect)
        data = mime.rebuild(mime.crlf(text.encode("utf-8", "surrogateescape")))
    else:
        data = _build(content, values, recipient, dialect)
    if (request.get("trace_headers") or {}).get("received_header"):
        sender = EnvelopeAddress.parse(request["envelope_sender"])
        stamp = format_datetime(datetime.fromtimestamp(now, UTC))
        data = (
            f"Received: from {sender.domain} ({peer})\r\n  by {socket.gethostname()} (KumoMTA)\r\n"
            f"  with HTTP id {message_id} for <{recipient['email']}>;\r\n  {stamp}\r\n"
        ).encode() + data
    return data


def _build(
    content: Mapping[str, Any], values: Mapping[str, Any], recipient: Mapping[str, Any],
    dialect: str,
) -> bytes:  # fmt: skip
    def text(name: str, *, html: bool = False) -> str | None:
        source = content.get(name)
        if source is None:
            return None
        return render(source, dict(values), dialect=dialect, name="t.html" if html else "t")

    fields = dict(content.get("headers") or {})
    for name, key in (("From", "from"), ("Reply-To", "reply_to")):
        if content.get(key):
            fields[name] = mime.format_mailbox(content[key].get("name"), content[key]["email"])
    if content.get("subject") is not None:
        fields["Subject"] = content["subject"]
    return mime.build(
        text=text("text_body"),
        html=text("html_body", html=True),
        amp=text("amp_html_body", html=True),
        attachments=list(content.get("attachments") or []),
        fields={
            name: render(value, dict(values), dialect=dialect)
            for name, value in sorted(fields.items())
        },
        recipient=mime.format_mailbox(recipient.get("name"), recipient["email"]),
    )


def make_message(
    request: Mapping[str, Any], recipient: Mapping[str, Any], *, peer: str, now: float
) -> Message:
    """A message for one recipient, as http_message_generated gets it."""
    try:
        address = EnvelopeAddress.parse(recipient["email"])
    except KumoError as error:
        raise KumoError(f"recipient email {recipient['email']}: {error}") from None
    message = Message(
        sender=EnvelopeAddress.parse(request["envelope_sender"]),
        recipients=[address],
        data=b"",
        created=now,
        meta={"http_auth": peer, "reception_protocol": "HTTP", "received_from": peer},
    )
    message.data = expand(request, recipient, message_id=message.id, peer=peer, now=now)
    return message
