"""What owners of domains elsewhere publish: as data, and in BIND's zone format."""

from dataclasses import asdict, dataclass

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from policy.dns import plan, texts
from policy.settings import Settings

_TARGETS = ("CNAME", "MX")


@dataclass(frozen=True, kw_only=True)
class Publication:
    """One record that the owner of a domain publishes."""

    name: str
    type: str
    value: str
    ttl: int
    why: str

    def as_dict(self) -> dict[str, str | int]:
        """Plain data for the stack's outputs."""
        return asdict(self)


def records_to_publish(settings: Settings) -> tuple[Publication, ...]:
    """Every record for domains whose DNS is elsewhere; settings alone decide them."""
    return tuple(
        Publication(name=record.name, type=record.type, value=value, ttl=record.ttl, why=record.why)
        for record in plan.mail_records(settings)
        if record.zone is None and isinstance(record.content, plan.Values)
        for value in record.content.values
    )


def zone_text(publications: tuple[Publication, ...]) -> str:
    """The records as lines of a BIND zone file, each with its reason above it."""
    lines: list[str] = []
    for item in publications:
        lines += [f"; {item.why}", f"{item.name}. {item.ttl} IN {item.type} {_rdata(item)}"]
    return "".join(f"{line}\n" for line in lines)


def _rdata(item: Publication) -> str:
    if item.type == "TXT":
        text = texts.quoted(item.value)
    else:
        text = f"{item.value}." if item.type in _TARGETS else item.value
    kind = dns.rdatatype.from_text(item.type)
    return dns.rdata.from_text(dns.rdataclass.IN, kind, text).to_text()
