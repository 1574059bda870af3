"""Recipients' domains, how their mail server treats mail, and what it records."""

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """A domain of the outside world, as recipients.yaml says."""

    address: str
    answer: str | None
    later: str | None = None


_TABLE = yaml.safe_load(Path(__file__).with_name("recipients.yaml").read_text())
RECIPIENTS = {name: Recipient(**row) for name, row in _TABLE.items()}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One recipient of one attempt, as its server saw it; a line of `mail.jsonl`.

    `message` is the raw message, one character a byte (latin-1); None when the recipient was
    refused before it came.
    """

    id: str
    time: float
    peer: str
    ehlo: str
    tls: str | None
    mail_from: str
    recipient: str
    answer: str
    message: str | None


def mail_exchanger(domain: str) -> str:
    """Name in the domain's MX record."""
    return f"mx.{domain}"
