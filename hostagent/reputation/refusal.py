"""One answer that refuses a message for the sender's reputation, out of a log record.

kumod's classifier calls such an answer SpamBlock, by the rules in policy/kumomta/data/bounces.toml.
It may be for good (Bounce) or for now (TransientFailure), with which a provider that blocks an
address often begins.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hostagent.events.record import LOG_RECORD, event_time
from hostagent.text import printable_line

CLASS = "SpamBlock"

OTHER = "other"
"""The provider of receivers that KumoMTA's shaping rules do not know."""

_READ, _KEPT = 2000, 500
_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:=?&/@]+(?:@|%40)[^\s<>()\[\]\"',;:?&/@]+")
_OFFICES = frozenset({"abuse", "delist", "help", "noc", "postmaster", "security", "support"})
_LINK = re.compile(r"https?://[^\s<>\"'\])}]+")


@dataclass(frozen=True)
class Refusal:
    """Who refused which source, when, for good or not, and in which words.

    The words have no person's address in them. `link` is the page that they name, or empty.
    """

    provider: str
    source: str
    message: str
    time: int
    for_good: bool
    words: str
    link: str
    server: str


def refusal_of(record: Mapping[str, Any]) -> Refusal | None:
    """None if a record is something else. Events on their way to PING8 are no mail."""
    if (
        record.get("bounce_classification") != CLASS
        or record.get("type") not in ("Bounce", "TransientFailure")
        or record.get("reception_protocol") == LOG_RECORD
    ):
        return None
    words = answer(record.get("response") or {})
    link = _LINK.search(words)
    return Refusal(
        provider=record.get("provider_name") or OTHER,
        source=record.get("egress_source") or "",
        message=str(record.get("id")),
        time=event_time(record),
        for_good=record["type"] == "Bounce",
        words=words,
        link=link[0].rstrip(".,;") if link else "",
        server=printable_line(str((record.get("peer_address") or {}).get("name") or "")),
    )


def answer(response: Mapping[str, Any]) -> str:
    """Code and text as one line that is safe to keep and to show."""
    enhanced = response.get("enhanced_code") or {}
    code = ".".join(str(enhanced[part]) for part in ("class", "subject", "detail") if enhanced)
    content = str(response.get("content") or "")[:_READ]
    text = " ".join(f"{response.get('code') or ''} {code} {content}".split())
    return printable_line(masked(text))[:_KEPT]


def masked(text: str) -> str:
    """Without the addresses of people; those of offices, which take requests, stay."""
    return _ADDRESS.sub(lambda found: found[0] if _is_office(found[0]) else "(address)", text)


def _is_office(address: str) -> bool:
    return re.split("@|%40", address.lower())[0] in _OFFICES
