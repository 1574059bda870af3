"""SPF: what receivers refuse to evaluate, and what DNS cannot publish."""

from collections.abc import Iterator, Mapping

from policy.settings import names
from policy.settings.checks.rule import Check, check
from policy.settings.model import Settings
from policy.settings.problems import Finding

LOOKUPS = 10
"""Look-ups that one evaluation may take (RFC 7208, 4.6.4)."""

LONGEST_RECORD = 1100
"""Octets of an SPF record that still fit an answer of 1,232 octets, so that UDP carries it."""

LONGEST_TXT = 4000
"""Characters of one TXT value in Route 53."""

_LONGEST_ADDRESS = len(" ip4:255.255.255.255")

Includes = Mapping[str, tuple[str, ...]]
"""What each SPF record of ours includes, by its name."""


def our_records(settings: Settings) -> Includes:
    """Includes of every SPF record that the platform publishes."""
    records: dict[str, tuple[str, ...]] = {}
    for brand in settings.brands:
        records[f"{brand.name}._spf.{settings.zone}"] = ()
    for domain in settings.domains:
        brand_record = f"{domain.brand}._spf.{settings.zone}"
        records[domain.bounce_domain] = (brand_record,)
        if domain.spf is not None:
            records[domain.name] = (brand_record, *domain.spf.include)
    return records


def look_ups(name: str, records: Includes) -> int | None:
    """Look-ups to evaluate one of our records; None for a loop.

    What others' records include is not known here and counts as nothing.
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
    """An eleventh look-up makes the whole record a permanent error."""
    records = our_records(settings)
    for i, domain in enumerate(settings.domains):
        if domain.spf is None:
            continue
        count = look_ups(domain.name, records)
        if count is None:
            fix = "these records include each other, a permanent error: remove the loop"
        elif count > LOOKUPS:
            fix = (
                f"SPF takes {LOOKUPS} look-ups and this record needs {count} or more (its brand's "
                "record, each include, and what they include): remove some"
            )
        else:
            continue
        yield Finding(
            path=("domains", i, "spf", "include"), value=list(domain.spf.include), fix=fix
        )


@check(elements=["domains"])
def spf_includes_are_used_once(settings: Settings) -> Iterator[Finding]:
    """A repeated include costs a look-up for nothing."""
    for i, domain in enumerate(settings.domains):
        includes = domain.spf.include if domain.spf is not None else ()
        for j, name in enumerate(includes):
            if name in includes[:j]:
                yield Finding(
                    path=("domains", i, "spf", "include", j),
                    value=name,
                    fix="this include is listed already: remove one",
                )


@check("zone", elements=["domains"])
def spf_records_fit(settings: Settings) -> Iterator[Finding]:
    """The record of a sender domain, as it will be published."""
    for i, domain in enumerate(settings.domains):
        if domain.spf is None:
            continue
        includes = (f"{domain.brand}._spf.{settings.zone}", *domain.spf.include)
        size = len("v=spf1 ~all") + sum(len(f" include:{name}") for name in includes)
        if size > LONGEST_RECORD:
            yield Finding(
                path=("domains", i, "spf", "include"),
                value=f"{len(includes)} includes",
                fix=f"the record has {size} characters; keep it to {LONGEST_RECORD}, or an "
                "answer no longer fits one packet",
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
                fix=f"one SPF record holds {most} addresses: spread the sources over more pools "
                "and brands",
            )


def _txt_fix(text: str, values: tuple[str, ...]) -> str | None:
    if text.lower().startswith("v=spf1"):
        return "two SPF records are a permanent error: move its terms to `include`"
    if not (text.isascii() and text.isprintable()):
        return "use printable ASCII in one line"
    if len(text) > LONGEST_TXT:
        return f"Route 53 takes {LONGEST_TXT} characters, and this has {len(text)}: shorten it"
    if values.count(text) > 1:
        return "this value is listed twice: remove one"
    return None


@check(elements=["domains"])
def other_texts_can_be_published(settings: Settings) -> Iterator[Finding]:
    """What is beside the SPF record in the same record set."""
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
    """`<brand>._spf.<zone>` is a name like any other."""
    for i, brand in enumerate(settings.brands):
        name = f"{brand.name}._spf.{settings.zone}"
        if len(name) > names.LONGEST_NAME:
            yield Finding(
                path=("brands", i, "name"),
                value=brand.name,
                fix=f"{name[:40]}... has {len(name)} characters; DNS takes 253: shorten it",
            )


CHECKS: tuple[Check, ...] = (
    spf_stays_within_ten_look_ups,
    spf_includes_are_used_once,
    spf_records_fit,
    brand_records_fit,
    brand_record_names_fit,
    other_texts_can_be_published,
)
