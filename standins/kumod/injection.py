"""The HTTP injection API's request, turned into messages."""

from collections.abc import Mapping
from typing import Any

from standins.kumod import mime
from standins.kumod.contract import named_type
from standins.kumod.errors import BadRequest, KumoError
from standins.kumod.field_types import Refused
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.message import Message
from standins.kumod.templates import render


def check_request(body: Any) -> None:
    try:
        named_type("injection")(body)
    except Refused as refusal:
        complaint = f"Failed to deserialize the JSON body into the target type: {refusal}"
        raise BadRequest(complaint) from None


def make_message(
    request: Mapping[str, Any], recipient: Mapping[str, Any], *, peer: str, now: float
) -> Message:
    """A message for one recipient, as http_message_generated gets it."""
    try:
        address = EnvelopeAddress.parse(recipient["email"])
    except KumoError as error:
        raise KumoError(f"recipient email {recipient['email']}: {error}") from None
    return Message(
        sender=EnvelopeAddress.parse(request["envelope_sender"]),
        recipients=[address],
        data=_content(request, recipient),
        created=now,
        meta={"http_auth": peer, "reception_protocol": "HTTP", "received_from": peer},
    )


def _content(request: Mapping[str, Any], recipient: Mapping[str, Any]) -> bytes:
    values = {
        **(request.get("substitutions") or {}),
        "email": recipient["email"],
        **({"name": recipient["name"]} if recipient.get("name") else {}),
        **(recipient.get("substitutions") or {}),
    }
    dialect = request.get("template_dialect", "Jinja")

    def expanded(source: str, name: str = "t") -> str:
        return render(source, values, dialect=dialect, name=name)

    content = request["content"]
    if isinstance(content, str):
        return mime.rebuild(mime.crlf(expanded(content).encode("utf-8", "surrogateescape")))
    bodies = [
        mime.text_part(kind, expanded(content[name], template))
        for name, kind, template in (
            ("text_body", "text/plain", "t"),
            ("html_body", "text/html", "t.html"),
        )
        if content.get(name) is not None
    ]
    fields = dict(content.get("headers") or {})
    if content.get("from"):
        fields["From"] = mime.format_mailbox(content["from"].get("name"), content["from"]["email"])
    if content.get("subject") is not None:
        fields["Subject"] = content["subject"]
    fields = {name: expanded(value) for name, value in sorted(fields.items())}
    return mime.build(
        bodies, fields, mime.format_mailbox(recipient.get("name"), recipient["email"])
    )
