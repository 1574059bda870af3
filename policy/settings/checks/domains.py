"""Sender domains: listed once, with names that fit DNS and bounce domains that align."""

from collections.abc import Iterator
from functools import cache

from publicsuffixlist import PublicSuffixList

from policy import record_names as dns
from policy.contract import ED25519_SUFFIX
from policy.settings import names
from policy.settings.checks.rule import check
from policy.settings.dkim import RSA_BITS, DkimKeys
from policy.settings.domains import SenderDomain
from policy.settings.model import Settings
from policy.settings.problems import Finding, nearest, one_of

_NOT_DERIVED = f", neither of which is the other with `{ED25519_SUFFIX}`"
STRENGTH = ("none", "quarantine", "reject")
"""Policies of DMARC, the weakest first."""
RESERVED = frozenset({"example", "internal", "invalid", "localhost", "test"})
"""Top-level names for examples, tests and private networks (RFC 2606, RFC 6761, ICANN 2024)."""


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def organisational_domain(name: str) -> str | None:
    """The organisational domain (RFC 7489, 3.2); None if the name is a public suffix."""
    found: str | None = _suffixes().privatesuffix(name)
    return found


@check(elements=["domains"])
def domains_are_listed_once(settings: Settings) -> Iterator[Finding]:
    """Names are normalised first, so case, a last dot and the IDNA form make no difference."""
    listed: set[str] = set()
    for i, domain in enumerate(settings.domains):
        if domain.name in listed:
            yield Finding(
                path=("domains", i, "name"),
                value=domain.name,
                fix="this sender domain is already listed above: remove one",
            )
        listed.add(domain.name)


@check("zone")
def zone_is_registrable(settings: Settings) -> Iterator[Finding]:
    """Our names are in it, so it must be ours."""
    fix = _no_own_name(settings.zone)
    if fix is not None:
        yield Finding(path=("zone",), value=settings.zone, fix=fix)


def _no_own_name(name: str) -> str | None:
    """Why nobody can own this name; None if somebody can."""
    if organisational_domain(name) is None:
        return "this is a public suffix, under which others register: use your own domain"
    top = name.rpartition(".")[2]
    if not _suffixes().publicsuffix(name, accept_unknown=False) and top not in RESERVED:
        near = nearest(top, ["com", "net", "org", "info", "io", "eu", "de"])
        meant = f"; did you mean {name.removesuffix(top)}{near}?" if near else ""
        return f"there is no top-level domain {top}{meant}"
    return None


@check(elements=["domains"])
def domains_are_registrable(settings: Settings) -> Iterator[Finding]:
    """Nobody can publish DMARC for all of `co.uk`."""
    for i, domain in enumerate(settings.domains):
        fix = _no_own_name(domain.name)
        if fix is not None:
            yield Finding(path=("domains", i, "name"), value=domain.name, fix=fix)


@check(elements=["domains"])
def zones_hold_their_domains(settings: Settings) -> Iterator[Finding]:
    """A record goes to the zone that contains its name."""
    for i, domain in enumerate(settings.domains):
        if domain.zone is not None and not names.lies_in(domain.name, domain.zone):
            yield Finding(
                path=("domains", i, "zone"),
                value=domain.zone,
                fix=f"{domain.name} is not in this zone: set its own, or leave `zone` out if its "
                "DNS is elsewhere",
            )


@check("zone", "mta", "proxies", "sources", elements=["domains"])
def domains_are_no_hosts(settings: Settings) -> Iterator[Finding]:
    """A host's name has records of its own: an SPF record for the EHLO name, for example."""
    hosts = _host_names(settings)
    for i, domain in enumerate(settings.domains):
        used = {"name": domain.name, "bounce": domain.bounce_domain}
        used["feedback"] = domain.feedback_domain
        for key, name in used.items():
            if name in hosts and (key != "feedback" or domain.feedback is not None):
                yield Finding(
                    path=("domains", i, key),
                    value=name,
                    fix=f"this is the name of {hosts[name]}: choose another",
                )


def _host_names(settings: Settings) -> dict[str, str]:
    kinds = {"mta": "an MTA host", "proxy": "a proxy host"}
    hosts = {settings.full_name(name): kinds[role] for name, role in settings.roles.items()}
    hosts |= {settings.ehlo(source): f"source {source.name}" for source in settings.sources}
    return hosts | {settings.injection_host: "the name where PING8 injects"}


@check("domains")
def bounce_domains_are_apart(settings: Settings) -> Iterator[Finding]:
    """The MX of a bounce domain is ours, so the domain must not receive other mail."""
    senders = {domain.name for domain in settings.domains}
    owner: dict[str, str] = {}
    for i, domain in enumerate(settings.domains):
        bounce = domain.bounce_domain
        if bounce in senders:
            fix = f"{bounce} is a sender domain; our MX would receive its mail: choose a subdomain"
        elif owner.setdefault(bounce, domain.name) != domain.name:
            fix = f"{owner[bounce]} already has this bounce domain: choose bounce.{domain.name}"
        else:
            continue
        yield Finding(path=("domains", i, "bounce"), value=bounce, fix=fix)


@check("zone", elements=["domains"])
def report_domains_take_nothing_over(settings: Settings) -> Iterator[Finding]:
    """Mail and records of these names become ours, so they must have no other use."""
    senders = [domain.name for domain in settings.domains]
    for i, domain in enumerate(settings.domains):
        for key, name in (("bounce", domain.bounce), ("feedback", domain.feedback)):
            if name is None:
                continue
            below = next((one for one in senders if one.endswith(f".{name}")), None)
            if organisational_domain(name) in (name, None) or name in settings.zones:
                what = "a whole domain with its own mail and records"
            elif below is not None:
                what = f"above the sender domain {below}"
            else:
                continue
            yield Finding(
                path=("domains", i, key),
                value=name,
                fix=f"this is {what}, and its MX and SPF would become ours: choose an unused "
                f"name below it, such as bounce.{domain.name}",
            )


@check("domains")
def feedback_domains_are_apart(settings: Settings) -> Iterator[Finding]:
    """Like bounce domains, but several sender domains may share one."""
    senders = {domain.name for domain in settings.domains}
    bounces = {domain.bounce_domain: domain.name for domain in settings.domains}
    for i, domain in enumerate(settings.domains):
        if domain.feedback is None:
            continue
        if domain.feedback in senders:
            fix = "this is a sender domain, and our MX would receive its mail: choose a subdomain"
        elif bounces.get(domain.feedback, domain.name) != domain.name:
            fix = f"this is the bounce domain of {bounces[domain.feedback]}: choose another"
        else:
            continue
        yield Finding(path=("domains", i, "feedback"), value=domain.feedback, fix=fix)


def _bounce_fix(domain: SenderDomain) -> str | None:
    bounce = domain.bounce_domain
    own = organisational_domain(domain.name)
    if own is not None and organisational_domain(bounce) != own:
        return (
            f"SPF would not align for DMARC: choose a name under {own}, such as "
            f"bounce.{domain.name}"
        )
    if domain.zone is not None and not names.lies_in(bounce, domain.zone):
        return f"choose a name in the domain's zone {domain.zone}, such as bounce.{domain.name}"
    return None


@check(elements=["domains"])
def bounce_domains_align(settings: Settings) -> Iterator[Finding]:
    """For DMARC, SPF only counts if the envelope sender has the same organisational domain."""
    for i, domain in enumerate(settings.domains):
        fix = _bounce_fix(domain) if domain.bounce is not None else None
        if fix is not None:
            yield Finding(path=("domains", i, "bounce"), value=domain.bounce_domain, fix=fix)


@check(elements=["domains", "brands"])
def keys_are_strong(settings: Settings) -> Iterator[Finding]:
    """Receivers ignore RSA under 1024 bits, distrust it under 2048, and few verify over 4096."""
    for path, dkim in _keys(settings):
        if dkim.bits not in RSA_BITS:
            yield Finding(
                path=(*path, "bits"),
                value=dkim.bits,
                fix="use 2048, 3072 or 4096; leave an existing shorter key with the domain's old "
                "sender, and use other selectors",
            )


@check(elements=["domains", "brands"])
def selectors_are_distinct(settings: Settings) -> Iterator[Finding]:
    """A rotation needs two selectors; those of Ed25519 keys are derived from them."""
    for path, dkim in _keys(settings):
        selectors = [selector for selector, _ in dkim.published()]
        if len(set(selectors)) < len(selectors):
            yield Finding(
                path=(*path, "selectors"),
                value=list(dkim.selectors),
                fix="choose two different selectors"
                + (
                    f", neither of which is the other with `{ED25519_SUFFIX}`"
                    if dkim.ed25519
                    else ""
                ),
            )
        if dkim.active_selector not in dkim.selectors:
            yield Finding(
                path=(*path, "active"),
                value=dkim.active_selector,
                fix=one_of(dkim.selectors, dkim.active_selector),
            )


@check(elements=["domains", "brands"])
def keys_sign_after_they_are_published(settings: Settings) -> Iterator[Finding]:
    """The key that signs is not newer than the look at DNS that found it."""
    for path, dkim in _keys(settings):
        for field, times in (("made", dkim.made), ("seen", dkim.seen), ("since", dkim.since)):
            for selector in times:
                if selector not in dkim.selectors:
                    fix = one_of(dkim.selectors, selector)
                    yield Finding(path=(*path, field, selector), value=selector, fix=fix)
        active = dkim.active_selector
        if active in dkim.made and dkim.made[active] >= dkim.seen.get(active, ""):
            yield Finding(
                path=(*path, "active"),
                value=active,
                fix=f"DNS was not seen with the key that {active} got at {dkim.made[active]}, so "
                f"its mail would fail DKIM: set {dkim.idle_selector}, and let `ping8 rotate dkim` "
                "change it",
            )


@check(elements=["domains"])
def keys_of_a_brand_are_set_there(settings: Settings) -> Iterator[Finding]:
    """A value beside `keys: brand` would change nothing."""
    for i, domain in enumerate(settings.domains):
        unused = sorted(domain.dkim.model_fields_set - {"keys"})
        if unused and not domain.has_own_keys:
            yield Finding(
                path=("domains", i, "dkim", unused[0]),
                value=getattr(domain.dkim, unused[0]),
                fix=f"with `keys: brand` the keys are those of brand {domain.brand}: set it in the "
                "brand's `dkim`, or give the domain keys of its own with `keys: domain`",
            )


def _keys(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], DkimKeys]]:
    """The DKIM keys of every brand and domain, with the place of their settings."""
    for i, brand in enumerate(settings.brands):
        yield ("brands", i, "dkim"), brand.dkim
    for i, domain in enumerate(settings.domains):
        if domain.has_own_keys:
            yield ("domains", i, "dkim"), domain.dkim


@check("zone", elements=["brands"])
def derived_names_of_brands_fit(settings: Settings) -> Iterator[Finding]:
    """Names in our zone that a brand's sender domains are aliases of."""
    for i, brand in enumerate(settings.brands):
        names_of_brand = [dns.bounce_target(brand.name, settings.zone)]
        names_of_brand += [
            dns.dkim_target(selector, brand.name, settings.zone)
            for selector, _ in brand.dkim.published()
        ]
        for name in names_of_brand:
            fix = _too_long(name)
            if fix is not None:
                yield Finding(path=("brands", i, "name"), value=brand.name, fix=fix)


@check("zone", "brands", elements=["domains"])
def derived_names_fit(settings: Settings) -> Iterator[Finding]:
    """Names have at most 253 characters and labels 63, including the names that we derive."""
    brands = {brand.name: brand.dkim for brand in settings.brands}
    for i, domain in enumerate(settings.domains):
        dkim = domain.dkim if domain.has_own_keys else brands.get(domain.brand, DkimKeys())
        for key, name in _derived(settings, domain, dkim):
            fix = _too_long(name)
            if fix is not None:
                yield Finding(path=("domains", i, *key), value=domain.name, fix=fix)


def _derived(
    settings: Settings, domain: SenderDomain, dkim: DkimKeys
) -> Iterator[tuple[tuple[str, ...], str]]:
    for selector, _ in dkim.published():
        yield ("dkim", "selectors"), dns.dkim(selector, domain.name)
        if domain.has_own_keys and settings.zone_of(domain) is None:
            yield ("dkim", "selectors"), dns.dkim_target(selector, domain.name, settings.zone)
    yield ("bounce",), domain.bounce_domain
    yield ("name",), dns.dmarc(domain.name)


def _too_long(name: str) -> str | None:
    """What to do about a name that DNS cannot hold; None: it can."""
    longest = max(len(label) for label in name.split("."))
    if len(name) <= names.LONGEST_NAME and longest <= names.LONGEST_LABEL:
        return None
    return (
        f"{name[:60]}... has {len(name)} characters, its longest label {longest}; "
        "DNS allows 253 and 63: shorten the selector, the name or the zone"
    )


@check(elements=["domains"])
def dmarc_is_not_weaker_than_inherited(settings: Settings) -> Iterator[Finding]:
    """A record of a subdomain replaces the policy that it inherits (RFC 7489, 6.6.3)."""
    published = {domain.name: domain.dmarc for domain in settings.domains if domain.dmarc.publish}
    for i, domain in enumerate(settings.domains):
        if domain.name not in published:
            continue
        above = domain.name
        while "." in above:
            above = above.partition(".")[2]
            if above in published:
                inherited = published[above].subdomain_policy or published[above].policy
                if STRENGTH.index(domain.dmarc.policy) < STRENGTH.index(inherited):
                    yield Finding(
                        path=("domains", i, "dmarc", "policy"),
                        value=domain.dmarc.policy,
                        fix=f"use {inherited} or stricter, as {above} requires for its "
                        "subdomains, or keep that policy with dmarc: {publish: false}",
                    )
                break
