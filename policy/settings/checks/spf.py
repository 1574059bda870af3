"""SPF: records that receivers refuse to evaluate or that DNS cannot publish."""

from collections.abc import Iterator, Mapping

from policy import record_names
from policy.settings import names
from policy.settings.checks.rule import check
from policy.settings.domains import SenderDomain
from policy.settings.model import Settings
from policy.settings.plain_secrets import Path
from policy.settings.problems import Finding
from policy.settings.spf_terms import VERSION, is_spf, looked_up

LOOKUPS = 10
"""Look-ups that one evaluation may take (RFC 7208, 4.6.4)."""

LONGEST_RECORD = 1100
"""Octets of an SPF record that still fit into a UDP answer of 1,232 octets."""

LONGEST_TXT = 4000
"""Characters of one TXT value in Route 53."""

_LONGEST_ADDRESS = len(" ip4:255.255.255.255")

Includes = Mapping[str, tuple[str, ...]]
"""What each SPF record of ours looks up, by its name."""


def our_records(settings: Settings) -> Includes:
    """Look-ups of every SPF record that the platform publishes."""
    records: dict[str, tuple[str, ...]] = {}
    for brand in settings.brands:
        records[record_names.brand_spf(brand.name, settings.zone)] = ()
    for domain in settings.domains:
        records[domain.bounce_domain] = (record_names.brand_spf(domain.brand, settings.zone),)
        if domain.spf is not None:
            records[domain.name] = tuple(looked_up(_terms(settings, domain)))
    return records


def _terms(settings: Settings, domain: SenderDomain) -> tuple[str, ...]:
    return domain.spf_terms(record_names.brand_spf(domain.brand, settings.zone))


def _place(i: int, domain: SenderDomain) -> Path:
    """The setting that makes a domain's record long."""
    given = domain.spf is not None and domain.spf.record is not None
    return ("domains", i, "spf", "record" if given else "include")


def look_ups(name: str, records: Includes) -> int | None:
    """Look-ups to evaluate one of our records; None if it loops.

    Includes inside other people's records are unknown here and not counted.
    """
    return _count(name, records, ())


def _count(name: str, records: Includes, above: tuple[str, ...]) -> int | None:
    if name in above:
        return None
    total = 0
    for included in records.get(name, ()):
        below = _count(included, records, (*above, name))
        if below is None:
            return None
        total += 1 + below
        if total > LOOKUPS:
            break
    return total


@check("zone", "brands", "domains")
def spf_stays_within_ten_look_ups(settings: Settings) -> Iterator[Finding]:
    """More than ten look-ups make the whole record a permanent error."""
    records = our_records(settings)
    for i, domain in enumerate(settings.domains):
        if domain.spf is None:
            continue
        count = look_ups(domain.name, records)
        if count is None:
            fix = "these records include each other, a permanent error: remove the loop"
        elif count > LOOKUPS:
            fix = (
                f"SPF allows {LOOKUPS} look-ups and this record needs {count} or more (its brand's "
                "record, each include, a, mx, ptr, exists and redirect, and what they include): "
                "remove some, or write addresses as ip4"
            )
        else:
            continue
        value = domain.spf.record or list(domain.spf.include)
        yield Finding(path=_place(i, domain), value=value, fix=fix)


@check(elements=["domains"])
def spf_includes_are_used_once(settings: Settings) -> Iterator[Finding]:
    """A repeated include wastes a look-up."""
    for i, domain in enumerate(settings.domains):
        includes = domain.spf.include if domain.spf is not None else ()
        for j, name in enumerate(includes):
            if name in includes[:j]:
                yield Finding(
                    path=("domains", i, "spf", "include", j),
                    value=name,
                    fix="this include is already listed: remove one",
                )


@check("zone", elements=["domains"])
def spf_records_fit(settings: Settings) -> Iterator[Finding]:
    """A sender domain's record must fit one UDP packet."""
    for i, domain in enumerate(settings.domains):
        if domain.spf is None:
            continue
        terms = _terms(settings, domain)
        size = len(" ".join([VERSION, *terms]))
        if size > LONGEST_RECORD:
            yield Finding(
                path=_place(i, domain),
                value=f"{len(terms)} terms",
                fix=f"the record has {size} characters; keep it to {LONGEST_RECORD}, so that an "
                "answer fits into one packet",
            )


@check(elements=["pools"])
def brand_records_fit(settings: Settings) -> Iterator[Finding]:
    """A brand's record lists each of its pool's addresses."""
    most = (LONGEST_RECORD - len("v=spf1 -all")) // _LONGEST_ADDRESS
    for i, pool in enumerate(settings.pools):
        if len(pool.sources) > most:
            yield Finding(
                path=("pools", i, "sources"),
                value=f"{len(pool.sources)} sources",
                fix=f"one SPF record has room for {most} addresses: spread the sources over more "
                "pools "
                "and brands",
            )


def _txt_fix(text: str, values: tuple[str, ...]) -> str | None:
    if is_spf(text):
        return "two SPF records are a permanent error: set it as `record`, and ours is added to it"
    if not (text.isascii() and text.isprintable()):
        return "use printable ASCII on one line"
    if len(text) > LONGEST_TXT:
        return f"Route 53 allows {LONGEST_TXT} characters, and this has {len(text)}: shorten it"
    if values.count(text) > 1:
        return "this value is listed twice: remove one"
    return None


@check(elements=["domains"])
def other_texts_can_be_published(settings: Settings) -> Iterator[Finding]:
    """The other texts in the SPF record's record set must be valid too."""
    for i, domain in enumerate(settings.domains):
        if domain.spf is None:
            continue
        for j, text in enumerate(domain.spf.other_txt):
            fix = _txt_fix(text, domain.spf.other_txt)
            if fix is not None:
                yield Finding(
                    path=("domains", i, "spf", "otherTxt", j), value=text or '""', fix=fix
                )


@check("zone", elements=["brands"])
def brand_record_names_fit(settings: Settings) -> Iterator[Finding]:
    """`<brand>._spf.<zone>` must be a valid DNS name."""
    for i, brand in enumerate(settings.brands):
        name = record_names.brand_spf(brand.name, settings.zone)
        if len(name) > names.LONGEST_NAME:
            yield Finding(
                path=("brands", i, "name"),
                value=brand.name,
                fix=f"{name[:40]}... has {len(name)} characters; DNS allows 253: shorten it",
            )
