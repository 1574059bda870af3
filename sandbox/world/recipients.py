"""Recipients' domains, how their mail server treats mail, and what it writes down."""

from dataclasses import dataclass

ACCEPTED = "250 2.1.5 Recipient ok"


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """A domain of the outside world; without an answer, nothing listens at its address.

    `later` answers a sender and recipient that have been seen together before. `{peer}` is the
    sender's address.
    """

    address: str
    answer: str | None
    later: str | None = None


RECIPIENTS = {
    "accept.example": Recipient(address="198.51.100.25", answer=ACCEPTED),
    "defer.example": Recipient(address="198.51.100.26", answer="451 4.7.1 Try again later"),
    "greylist.example": Recipient(
        address="198.51.100.27", answer="450 4.2.0 Greylisted, come back", later=ACCEPTED
    ),
    "bounce.example": Recipient(address="198.51.100.28", answer="550 5.1.1 No such user here"),
    "block.example": Recipient(
        address="198.51.100.30",
        answer="554 5.7.1 Service unavailable; Client host [{peer}] blocked using "
        "zen.spamhaus.org; https://www.spamhaus.org/query/ip/{peer}",
    ),
    "down.example": Recipient(address="198.51.100.29", answer=None),
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
