"""Brands: isolation of reputation."""

from collections.abc import Iterator

from policy.contract import DEFAULT_POOL
from policy.settings.base import seconds, unused
from policy.settings.checks.rule import check
from policy.settings.egress import Brand
from policy.settings.model import Settings
from policy.settings.problems import Finding, one_of


@check("pools", elements=["brands"])
def brands_name_known_pools(settings: Settings) -> Iterator[Finding]:
    """Mail of a brand without a pool has no address to leave from."""
    known = [pool.name for pool in settings.pools]
    for i, brand in enumerate(settings.brands):
        if brand.pool not in known:
            yield Finding(
                path=("brands", i, "pool"),
                value=brand.pool,
                fix=f"no pool of this name is defined: {one_of(known, brand.pool)}",
            )


@check("brands", elements=["pools"])
def pools_are_used(settings: Settings) -> Iterator[Finding]:
    """The contract's pool may be unused: mail of unknown senders uses it."""
    for i, pool in unused(settings.pools, {brand.pool for brand in settings.brands}):
        if pool.name != DEFAULT_POOL:
            yield Finding(
                path=("pools", i, "name"),
                value=pool.name,
                fix="no brand uses this pool: use it in a brand, or remove it",
            )


@check("brands", elements=["domains"])
def domains_name_known_brands(settings: Settings) -> Iterator[Finding]:
    """A sender domain uses one brand's reputation."""
    known = [brand.name for brand in settings.brands]
    for i, domain in enumerate(settings.domains):
        if domain.brand not in known:
            yield Finding(
                path=("domains", i, "brand"),
                value=domain.brand,
                fix=f"no brand of this name is defined: {one_of(known, domain.brand)}",
            )


@check("domains", elements=["brands"])
def brands_are_used(settings: Settings) -> Iterator[Finding]:
    """A brand without a sender domain sends nothing. An environment may begin without domains."""
    used = {domain.brand for domain in settings.domains}
    if not used:
        return
    for i, brand in unused(settings.brands, used):
        yield Finding(
            path=("brands", i, "name"),
            value=brand.name,
            fix="no sender domain uses this brand: use it in one, or remove it",
        )


@check("brands", "pools")
def isolated_brands_share_nothing(settings: Settings) -> Iterator[Finding]:
    """One brand's complaints must not reach another's addresses."""
    sources = {pool.name: set(pool.sources) for pool in settings.pools}
    for i, brand in enumerate(settings.brands):
        if not brand.isolated:
            continue
        for other in settings.brands:
            shared = sources.get(brand.pool, set()) & sources.get(other.pool, set())
            if other.name != brand.name and shared:
                yield Finding(
                    path=("brands", i, "isolated"),
                    value=True,
                    fix=f"brand {other.name} (pool {other.pool}) also sends from "
                    f"{', '.join(sorted(shared))}: give {brand.name} its own sources",
                )


@check("brands", "pools", "reception")
def unknown_senders_avoid_isolated_brands(settings: Settings) -> Iterator[Finding]:
    """Mail of unknown senders uses the contract's pool."""
    if settings.reception.unknown_senders == "refuse":
        return
    sources = {pool.name: set(pool.sources) for pool in settings.pools}
    for brand in settings.brands:
        shared = sources.get(brand.pool, set()) & sources.get(DEFAULT_POOL, set())
        if brand.isolated and shared:
            yield Finding(
                path=("reception", "unknownSenders"),
                value="accept",
                fix=f"such mail uses the pool {DEFAULT_POOL}, whose {', '.join(sorted(shared))} "
                f"belongs to the isolated brand {brand.name}: refuse it, or separate the sources",
            )


def _out_of_order(brand: Brand) -> tuple[str, str] | None:
    if seconds(brand.retry_interval) > seconds(brand.max_retry_interval):
        return "retryInterval", "make it no longer than maxRetryInterval"
    if seconds(brand.max_retry_interval) > seconds(brand.max_age):
        return "maxRetryInterval", "make it no longer than maxAge, or mail expires before a retry"
    return None


@check(elements=["brands"])
def brand_intervals_are_in_order(settings: Settings) -> Iterator[Finding]:
    """The first wait, the longest wait and the expiry must be in this order."""
    for i, brand in enumerate(settings.brands):
        wrong = _out_of_order(brand)
        if wrong is not None:
            key, fix = wrong
            value = brand.retry_interval if key == "retryInterval" else brand.max_retry_interval
            yield Finding(path=("brands", i, key), value=value, fix=fix)
