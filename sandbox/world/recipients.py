"""Recipients' domains, how their mail server treats mail, and what it writes down."""

from dataclasses import dataclass
from enum import Enum


class Treatment(Enum):
    """What a domain's server does with a recipient."""

    ACCEPT = "accept"
    DEFER = "defer"
    GREYLIST = "greylist"
    """Defers a sender's first attempt for a recipient and accepts the next."""
    BOUNCE = "bounce"
    DOWN = "down"
    """Nothing listens at its address."""


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """A domain of the outside world."""

    address: str
    treatment: Treatment


RECIPIENTS = {
    "accept.example": Recipient(address="198.51.100.25", treatment=Treatment.ACCEPT),
    "defer.example": Recipient(address="198.51.100.26", treatment=Treatment.DEFER),
    "greylist.example": Recipient(address="198.51.100.27", treatment=Treatment.GREYLIST),
    "bounce.example": Recipient(address="198.51.100.28", treatment=Treatment.BOUNCE),
    "down.example": Recipient(address="198.51.100.29", treatment=Treatment.DOWN),
}


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


def answer_to(treatment: Treatment, *, known: bool) -> str:
    """Answer to RCPT TO; `known` when sender and recipient have been seen together before."""
    if treatment is Treatment.DEFER:
        return "451 4.7.1 Try again later"
    if treatment is Treatment.GREYLIST and not known:
        return "450 4.2.0 Greylisted, come back"
    if treatment is Treatment.BOUNCE:
        return "550 5.1.1 No such user here"
    return "250 2.1.5 Recipient ok"
