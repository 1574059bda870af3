"""What owners of domains elsewhere publish: as data, and in BIND's zone format."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from policy.dns import plan, texts
from policy.settings import Settings
from policy.settings.domains import SenderDomain

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
    return of_records(plan.mail_records(settings))


def publications_of(settings: Settings, domain: SenderDomain) -> tuple[Publication, ...]:
    """Those of one sender domain."""
    return of_records(plan.domain_records(settings, domain))


def in_short(settings: Settings) -> tuple[Publication, ...]:
    """Every record, but those of domains with the keys of a brand once, for `<domain>`."""
    found: dict[Publication, None] = {}
    alike: set[tuple[object, ...]] = set()
    for domain in settings.domains:
        if not plan.is_elsewhere(settings, domain):
            found |= dict.fromkeys(publications_of(settings, domain))
            continue
        kind = (domain.brand, domain.dmarc, domain.spf)
        if kind not in alike:
            alike.add(kind)
            own = publications_of(settings, domain)
            found |= dict.fromkeys(_of_any(domain.name, each) for each in own)
    return (*found, *dict.fromkeys(of_records(plan.dmarc_receivers(settings))))


def _of_any(name: str, one: Publication) -> Publication:
    return replace(
        one, name=one.name.replace(name, "<domain>"), why=one.why.replace(name, "<domain>")
    )


def of_records(records: Iterable[plan.Record]) -> tuple[Publication, ...]:
    """Those of the records that owners publish."""
    return tuple(
        Publication(name=record.name, type=record.type, value=value, ttl=record.ttl, why=record.why)
        for record in records
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
