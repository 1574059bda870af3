"""A message: envelope, metadata, data and state."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from standins.kumod import headers as hdr
from standins.kumod.errors import KumoError
from standins.kumod.headers import AddressHeader, EnvelopeAddress
from standins.kumod.objects import LuaObject

#: kumod folds its own headers at this width.
_FOLDED = 75


@dataclass(frozen=True, kw_only=True)
class QueueName:
    """The parts of a scheduled queue's name: campaign:tenant@domain!routing_domain."""

    domain: str
    tenant: str | None = None
    campaign: str | None = None
    routing_domain: str | None = None

    @classmethod
    def parse(cls, name: str) -> QueueName:
        rest, _, routing = name.partition("!")
        left, _, domain = rest.rpartition("@")
        campaign, _, tenant = left.rpartition(":")
        return cls(
            domain=domain,
            tenant=tenant or None,
            campaign=campaign or None,
            routing_domain=routing or None,
        )

    def __str__(self) -> str:
        prefix = f"{self.campaign}:" if self.campaign else ""
        owner = f"{prefix}{self.tenant or ''}"
        routed = f"!{self.routing_domain}" if self.routing_domain else ""
        return f"{owner}@{self.domain}{routed}" if owner else f"{self.domain}{routed}"


@dataclass(kw_only=True, eq=False)
class Message(LuaObject):
    kind = "Message"
    sender: EnvelopeAddress
    recipients: list[EnvelopeAddress]
    data: bytes
    created: float
    meta: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid1().hex)
    num_attempts: int = 0
    due: float | None = None

    def __str__(self) -> str:
        return f"Message {self.id}"

    @property
    def recipient(self) -> EnvelopeAddress:
        if len(self.recipients) != 1:
            raise KumoError("operation requires exactly one recipient")
        return self.recipients[0]

    def queue_name(self) -> str:
        """The scheduled queue that the metadata (or the recipient) names."""
        explicit = self.meta.get("queue")
        if explicit is not None:
            return str(explicit)
        parts = {
            name: str(self.meta[name]) if self.meta.get(name) is not None else None
            for name in ("tenant", "campaign", "routing_domain")
        }
        return str(QueueName(domain=self.recipients[0].domain.lower(), **parts))

    def header_list(self) -> list[tuple[str, bytes]]:
        return hdr.parse_headers(hdr.split_message(self.data)[0])

    def headers(self) -> list[list[str]]:
        """Names and decoded values, in order."""
        return [[name, hdr.decode_value(hdr.unfold(raw))] for name, raw in self.header_list()]

    def header_values(self, name: str) -> list[str]:
        return [value for present, value in self.headers() if present.lower() == name.lower()]

    def first_header(self, name: str) -> str | None:
        return next(iter(self.header_values(name)), None)

    def address_header(self, name: str) -> AddressHeader | None:
        for present, raw in self.header_list():
            if present.lower() == name.lower():
                return AddressHeader.parse(name, hdr.unfold(raw))
        return None

    def prepend_header(self, name: str, value: str) -> None:
        self.data = f"{name}: {value}\r\n".encode("utf-8", "surrogateescape") + self.data

    def remove_headers(self, name: str) -> None:
        block, body = hdr.split_message(self.data)
        fields = hdr.parse_headers(block)
        kept = b"".join(raw for present, raw in fields if present.lower() != name.lower())
        self.data = kept + b"\r\n" + body

    def apply_trace(self, params: Mapping[str, Any] | None = None) -> None:
        """Prepend the supplemental trace header: the recipient and the named metadata."""
        options = params or {}
        if not options.get("supplemental_header", True):
            return
        payload: dict[str, Any] = {"_@_": "\\_/", "recipient": str(self.recipients[0])}
        for name in options.get("include_meta_names") or []:
            payload[name] = self.meta.get(name)
        text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        encoded = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
        lines = [encoded[at : at + _FOLDED] for at in range(0, len(encoded), _FOLDED)]
        self.prepend_header(options.get("header_name", "X-KumoRef"), "\r\n\t".join(lines))

    def to_spool(self) -> dict[str, Any]:
        """Everything but the data."""
        texts = {"sender": str(self.sender), "recipients": [str(r) for r in self.recipients]}
        return {name: value for name, value in vars(self).items() if name != "data"} | texts

    @classmethod
    def from_spool(cls, record: Mapping[str, Any], data: bytes) -> Message:
        addresses = {
            "sender": EnvelopeAddress(record["sender"]),
            "recipients": [EnvelopeAddress(text) for text in record["recipients"]],
        }
        return cls(**{**record, **addresses, "data": data})
