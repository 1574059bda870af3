"""The plan of records: names come from the settings, values from small references.

Names are known before AWS assigns an address, so the plan decides how many records exist.
`SpfOf` and `KeyOf` say where a value comes from, so that a record depends on its own inputs alone
and a new sender domain touches nothing else.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from policy import record_names as names
from policy.dns import texts
from policy.settings import Settings
from policy.settings.dkim import DkimKeys
from policy.settings.domains import SenderDomain
from policy.settings.names import lies_in
from policy.settings.spf_terms import VERSION

TTL = 300
KEY_TTL = 3600

RecordType = Literal["CNAME", "MX", "TXT"]


@dataclass(frozen=True, kw_only=True)
class Values:
    """Values that settings decide; TXT values are plain text."""

    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SpfOf:
    """An SPF record that names the public addresses of these sources."""

    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class KeyOf:
    """The public DKIM key of a selector; its owner is a sender domain or a brand."""

    owner: str
    selector: str


Content = Values | SpfOf | KeyOf


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record set. `zone` is its Route 53 zone; None if its owner publishes it."""

    name: str
    type: RecordType
    content: Content
    zone: str | None
    why: str
    ttl: int = TTL


class Conflict(ValueError):
    """Two records have the same name and type; this cannot happen with checked settings."""


def host_names(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The names whose A record has an address: of each MTA host, and of each source.

    A source's EHLO name comes first; the first source of a proxy host also has that host's name.
    The name where PING8 injects is not among them.
    """
    taken = {settings.ehlo(source) for source in settings.sources} | {settings.injection_host}
    found: dict[str, tuple[str, ...]] = {
        host: (settings.full_name(host),) for host in settings.mta.host_names
    }
    for source in settings.sources:
        found[source.name] = (settings.ehlo(source),)
    for proxy in settings.proxies:
        name = settings.full_name(proxy.name)
        if name not in taken:
            first = settings.sources_of(proxy.name)[0].name
            found[first] = (*found[first], name)
    return found


def mail_records(settings: Settings) -> tuple[Record, ...]:
    """All records besides addresses: SPF, MX, DKIM and DMARC of every sender domain."""
    return _distinct(_mail_records(settings, settings.domains))


def made_records(settings: Settings) -> tuple[Record, ...]:
    """Those of `mail_records` that are made in Route 53, quickly found among 100,000 domains."""
    domains = (domain for domain in settings.domains if not is_elsewhere(settings, domain))
    return tuple(r for r in _distinct(_mail_records(settings, domains)) if r.zone is not None)


def is_elsewhere(settings: Settings, domain: SenderDomain) -> bool:
    """Whether its owner publishes every record of a domain, and its brand's keys sign."""
    return (
        not domain.has_own_keys
        and domain.bounce is None
        and domain.feedback is None
        and settings.zone_of(domain) is None
        and not lies_in(settings.zone, domain.name)
    )


def _distinct(records: Iterable[Record]) -> tuple[Record, ...]:
    """Each once. Raises `Conflict`."""
    found: dict[tuple[str, str], Record] = {}
    for record in records:
        key = (record.name, record.type)
        known = found.setdefault(key, record)
        if known.content != record.content:
            raise Conflict(
                f"{record.name} {record.type} is planned twice: {record.why}; {known.why}"
            )
    return tuple(found.values())


def brand_sources(settings: Settings, brand: str) -> tuple[str, ...]:
    """The egress sources that a brand's pool uses, in the order of the settings."""
    weights = settings.pool(settings.brand(brand).pool).sources
    return tuple(source.name for source in settings.sources if weights.get(source.name))


def _mail_records(settings: Settings, domains: Iterable[SenderDomain]) -> Iterator[Record]:
    for source in settings.sources:
        yield Record(
            name=settings.ehlo(source),
            type="TXT",
            content=SpfOf(sources=(source.name,)),
            zone=settings.zone,
            why=f"SPF of the EHLO name of {source.name}, which bounces are checked by",
        )
    for brand in settings.brands:
        yield Record(
            name=names.brand_spf(brand.name, settings.zone),
            type="TXT",
            content=SpfOf(sources=brand_sources(settings, brand.name)),
            zone=settings.zone,
            why=f"the addresses of brand {brand.name}",
        )
    yield from _brand_targets(settings)
    for domain in domains:
        yield from domain_records(settings, domain)
    yield from dmarc_receivers(settings)


def domain_records(settings: Settings, domain: SenderDomain) -> Iterator[Record]:
    """The records of one sender domain."""
    yield from _keys(settings, domain)
    yield from _returns(settings, domain)
    yield from _dmarc(settings, domain)
    yield from _own_spf(settings, domain)


def needed_records(settings: Settings, domain: SenderDomain) -> Iterator[Record]:
    """Those that mail of a sender domain needs: the keys that sign it, and its bounce domain."""
    signing = {
        names.dkim(selector, domain.name) for selector, _ in settings.dkim_of(domain).signing()
    }
    yield from (record for record in _keys(settings, domain) if record.name in signing)
    if settings.reception.envelope_sender == "bounce-domain":
        bounce = domain.bounce_domain
        yield from (record for record in _returns(settings, domain) if record.name == bounce)


def _brand_targets(settings: Settings) -> Iterator[Record]:
    """What domains of a brand point at: its keys, and its bounce domain with MX and SPF."""
    used = dict.fromkeys(domain.brand for domain in settings.domains)
    owners = settings.dkim_keys()
    for brand in used:
        for selector, kind in owners[brand].published() if brand in owners else ():
            yield Record(
                name=names.dkim_target(selector, brand, settings.zone),
                type="TXT",
                content=KeyOf(owner=brand, selector=selector),
                zone=settings.zone,
                why=f"DKIM key of brand {brand} ({kind}) that {_role(owners[brand], selector)}",
                ttl=KEY_TTL,
            )
        yield from _bounce_records(
            settings, names.bounce_target(brand, settings.zone), brand, settings.zone
        )


def _bounce_records(settings: Settings, name: str, brand: str, zone: str) -> Iterator[Record]:
    why = f"bounces of brand {brand}; SPF passes and aligns by it"
    include = names.brand_spf(brand, settings.zone)
    yield Record(name=name, type="MX", content=_exchangers(settings), zone=zone, why=why)
    yield Record(
        name=name,
        type="TXT",
        content=Values(values=(texts.spf(includes=[include]),)),
        zone=zone,
        why=why,
    )


def _exchangers(settings: Settings) -> Values:
    """One for each MTA host: behind a balancer, kumod would not see who connects."""
    hosts = settings.mta.host_names
    return Values(values=tuple(f"10 {settings.full_name(host)}" for host in hosts))


def _role(dkim: DkimKeys, selector: str) -> str:
    return "signs" if selector in dict(dkim.signing()) else "is the next"


def zone_of(settings: Settings, domain: SenderDomain, name: str) -> str | None:
    """The Route 53 zone for a name of a sender domain; None if its owner publishes it.

    The most specific of all zones that the settings name: a zone above one of them delegates it,
    and nobody would see the record there.
    """
    held = any(zone and lies_in(name, zone) for zone in (settings.zone_of(domain), settings.zone))
    return most_specific(settings, name) if held else None


def most_specific(settings: Settings, name: str) -> str | None:
    """The longest of the settings' zones in which the name lies."""
    return max((zone for zone in settings.zones if lies_in(name, zone)), key=len, default=None)


def _keys(settings: Settings, domain: SenderDomain) -> Iterator[Record]:
    owner, dkim = domain.key_owner, settings.dkim_of(domain)
    for selector, kind in dkim.published():
        name = names.dkim(selector, domain.name)
        why = f"DKIM key of {domain.name} ({kind}) that {_role(dkim, selector)}"
        zone = zone_of(settings, domain, name)
        target = names.dkim_target(selector, owner, settings.zone)
        if not domain.has_own_keys:
            yield _alias(name, target, zone, why)
            continue
        if zone is None:
            yield _alias(name, target, None, why)
            name, zone = target, settings.zone
        key = KeyOf(owner=owner, selector=selector)
        yield Record(name=name, type="TXT", content=key, zone=zone, why=why, ttl=KEY_TTL)


def _returns(settings: Settings, domain: SenderDomain) -> Iterator[Record]:
    """The bounce domain, and the feedback domain's MX where it is another."""
    name, zone = domain.bounce_domain, zone_of(settings, domain, domain.bounce_domain)
    if zone == name:
        # No zone's own name can be an alias.
        yield from _bounce_records(settings, name, domain.brand, zone)
    else:
        target = names.bounce_target(domain.brand, settings.zone)
        yield _alias(name, target, zone, f"bounces of {domain.name}; SPF passes and aligns by it")
    if domain.feedback_domain != domain.bounce_domain:
        feedback = domain.feedback_domain
        yield Record(
            name=feedback,
            type="MX",
            content=_exchangers(settings),
            zone=zone_of(settings, domain, feedback),
            why=f"abuse reports about {domain.name}",
        )


def _dmarc(settings: Settings, domain: SenderDomain) -> Iterator[Record]:
    if not domain.dmarc.publish:
        return
    name = names.dmarc(domain.name)
    yield Record(
        name=name,
        type="TXT",
        content=Values(values=(texts.dmarc_record(domain.dmarc),)),
        zone=zone_of(settings, domain, name),
        why=f"DMARC policy of {domain.name}",
    )


def dmarc_receivers(settings: Settings) -> Iterator[Record]:
    """Consents that mailbox providers require to send reports about one domain to another."""
    for domain in settings.domains:
        receiver = (domain.dmarc.report or "").rpartition("@")[2]
        if (
            not (receiver and domain.dmarc.publish)
            or lies_in(domain.name, receiver)
            or lies_in(receiver, domain.name)
        ):
            continue
        yield Record(
            name=names.dmarc_reports(receiver),
            type="TXT",
            content=Values(values=("v=DMARC1",)),
            zone=most_specific(settings, receiver),
            why=f"{receiver} takes DMARC reports about other domains",
        )


def _own_spf(settings: Settings, domain: SenderDomain) -> Iterator[Record]:
    if domain.spf is None:
        return
    terms = domain.spf_terms(names.brand_spf(domain.brand, settings.zone))
    text = " ".join([VERSION, *terms])
    yield Record(
        name=domain.name,
        type="TXT",
        content=Values(values=(text, *domain.spf.other_txt)),
        zone=zone_of(settings, domain, domain.name),
        why=f"SPF of {domain.name} itself, with its other TXT values",
    )


def _alias(name: str, target: str, zone: str | None, why: str) -> Record:
    return Record(
        name=name, type="CNAME", content=Values(values=(target,)), zone=zone, why=why, ttl=KEY_TTL
    )
