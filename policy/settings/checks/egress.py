"""Sources, pools and proxies: every name is defined, and defined once."""

import re
from collections.abc import Iterable, Iterator, Sequence

from policy.contract import DEFAULT_POOL, DEFAULT_SOURCE
from policy.settings import names
from policy.settings.base import unused
from policy.settings.checks.rule import check
from policy.settings.model import Settings
from policy.settings.plain_secrets import Path
from policy.settings.problems import Finding, one_of

MOST_TURNS = 64
"""The maximum length of a pool's list of turns: each queue keeps one."""

_RESERVED = frozenset({"unspecified", "null", "none", "unknown", "all", "any"})
"""Names that have a meaning in KumoMTA, or look like one in a report."""


def _repeated(words: Iterable[str]) -> Iterator[tuple[int, int]]:
    """The index of each repetition, with the index of its first use."""
    first: dict[str, int] = {}
    for i, word in enumerate(words):
        if word in first:
            yield i, first[word]
        first.setdefault(word, i)


def _twice(field: str, defined: Sequence[str]) -> Iterator[Finding]:
    for i, _ in _repeated(defined):
        yield Finding(
            path=(field, i, "name"),
            value=defined[i],
            fix="another one above has this name: choose another name, or remove one",
        )


@check(elements=["sources", "pools", "brands", "proxies"])
def names_are_defined_once(settings: Settings) -> Iterator[Finding]:
    """Two items with the same name would silently become one."""
    yield from _twice("sources", [source.name for source in settings.sources])
    yield from _twice("pools", [pool.name for pool in settings.pools])
    yield from _twice("brands", [brand.name for brand in settings.brands])
    yield from _twice("proxies", [proxy.name for proxy in settings.proxies])


@check(elements=["sources", "pools", "brands", "proxies"])
def names_are_not_reserved(settings: Settings) -> Iterator[Finding]:
    """KumoMTA uses the source and pool `unspecified` as its own fallback."""
    defined: list[tuple[Path, str]] = [
        *((("sources", i, "name"), source.name) for i, source in enumerate(settings.sources)),
        *((("pools", i, "name"), pool.name) for i, pool in enumerate(settings.pools)),
        *((("brands", i, "name"), brand.name) for i, brand in enumerate(settings.brands)),
        *((("proxies", i, "name"), proxy.name) for i, proxy in enumerate(settings.proxies)),
    ]
    for path, name in defined:
        if name in _RESERVED:
            yield Finding(path=path, value=name, fix="choose another name: this one is reserved")


@check("sources", "pools")
def contract_names_exist(settings: Settings) -> Iterator[Finding]:
    """The contract with PING8 names one source and one pool, which KUMOPROXY_* describe."""
    if DEFAULT_SOURCE not in {source.name for source in settings.sources}:
        yield Finding(
            path=("sources",),
            fix=f"define the source {DEFAULT_SOURCE}: the contract with PING8 names it",
        )
    pool = next((pool for pool in settings.pools if pool.name == DEFAULT_POOL), None)
    if pool is None or DEFAULT_SOURCE not in pool.sources:
        yield Finding(
            path=("pools",),
            fix=f"define the pool {DEFAULT_POOL} with the source {DEFAULT_SOURCE}: the contract "
            "with PING8 names them",
        )


@check("zone", elements=["sources"])
def ehlo_names_lie_in_our_zone(settings: Settings) -> Iterator[Finding]:
    """We must be able to publish the A record that the PTR is checked against."""
    for i, source in enumerate(settings.sources):
        name = settings.ehlo(source)
        if not name.endswith(f".{settings.zone}"):
            first = source.ehlo.partition(".")[0]
            yield Finding(
                path=("sources", i, "ehlo"),
                value=source.ehlo,
                fix=f"choose a name in the zone, such as {first}.{settings.zone}, or write only "
                f"the first label: {first}",
            )
        elif len(name) > names.LONGEST_NAME:
            yield Finding(
                path=("sources", i, "ehlo"),
                value=source.ehlo,
                fix=f"shorten it: {name[:40]}... has {len(name)} characters, DNS allows 253",
            )


@check("zone", elements=["sources"])
def ehlo_names_are_used_once(settings: Settings) -> Iterator[Finding]:
    """Forward-confirmed reverse DNS needs one name for each address."""
    ehlo = [settings.ehlo(source) for source in settings.sources]
    for i, earlier in _repeated(ehlo):
        yield Finding(
            path=("sources", i, "ehlo"),
            value=settings.sources[i].ehlo,
            fix=f"source {settings.sources[earlier].name} already uses this EHLO name: choose "
            "another",
        )


@check("zone", "mta", "sources", "proxies")
def host_names_are_used_once(settings: Settings) -> Iterator[Finding]:
    """A name has one A record; a proxy's first source has the proxy's own address."""
    taken = {settings.injection_host: "where PING8 injects"}
    for host in settings.mta.host_names:
        taken.setdefault(settings.full_name(host), f"MTA host {host}")
    ours = frozenset(taken)
    for i, proxy in enumerate(settings.proxies):
        name = settings.full_name(proxy.name)
        if name in ours or re.fullmatch(r"mta(-[0-9]+)?", proxy.name):
            yield Finding(
                path=("proxies", i, "name"),
                value=proxy.name,
                fix="this name belongs to the MTA hosts: choose another name",
            )
        taken.setdefault(name, f"proxy host {proxy.name}")
    own = {
        settings.full_name(proxy.name): settings.sources_of(proxy.name)[:1]
        for proxy in settings.proxies
    }
    for i, source in enumerate(settings.sources):
        name = settings.ehlo(source)
        if name in taken and source not in own.get(name, ()):
            yield Finding(
                path=("sources", i, "ehlo"),
                value=source.ehlo,
                fix=f"{name} is {taken[name]}: choose another EHLO name",
            )


@check("sources", elements=["pools"])
def pools_name_known_sources(settings: Settings) -> Iterator[Finding]:
    """kumod would load the pool and fail at the first message."""
    known = [source.name for source in settings.sources]
    for i, pool in enumerate(settings.pools):
        if not pool.sources:
            yield Finding(
                path=("pools", i, "sources"),
                value="{}",
                fix="list one or more sources, each with its weight",
            )
        for name, weight in pool.sources.items():
            if name not in known:
                yield Finding(
                    path=("pools", i, "sources", name),
                    value=weight,
                    fix=f"no source {name} is defined: {one_of(known, name)}",
                )


@check("sources", "pools")
def sources_are_used(settings: Settings) -> Iterator[Finding]:
    """An unused address costs money and loses its reputation."""
    used = {name for pool in settings.pools for name in pool.sources}
    for i, source in unused(settings.sources, used):
        yield Finding(
            path=("sources", i, "name"),
            value=source.name,
            fix="no pool uses this source: give it a weight in a pool, or remove it",
        )


@check("proxies", elements=["sources"])
def sources_name_known_proxies(settings: Settings) -> Iterator[Finding]:
    """A source needs a proxy host."""
    known = [proxy.name for proxy in settings.proxies]
    for i, source in enumerate(settings.sources):
        if source.proxy not in known:
            yield Finding(
                path=("sources", i, "proxy"),
                value=source.proxy,
                fix=f"no proxy of this name is defined: {one_of(known, source.proxy)}",
            )


@check(elements=["pools"])
def pools_have_simple_shares(settings: Settings) -> Iterator[Finding]:
    """Each queue goes round a list that repeats each source by its weight."""
    for i, pool in enumerate(settings.pools):
        if sum(pool.turns().values()) > MOST_TURNS:
            yield Finding(
                path=("pools", i, "sources"),
                value=", ".join(f"{name}: {weight}" for name, weight in pool.sources.items()),
                fix="use smaller whole numbers, such as 3 and 1: in lowest terms their sum is "
                f"at most {MOST_TURNS}",
            )


@check("sources", elements=["proxies"])
def proxies_are_used(settings: Settings) -> Iterator[Finding]:
    """A proxy host without a source would have no public address."""
    for i, proxy in unused(settings.proxies, {source.proxy for source in settings.sources}):
        yield Finding(
            path=("proxies", i, "name"),
            value=proxy.name,
            fix="no source uses this proxy: use it in a source, or remove it",
        )


@check("mta", elements=["sources"])
def elastic_ips_are_used_once(settings: Settings) -> Iterator[Finding]:
    """One Elastic IP belongs to one interface."""
    taken: dict[str, str] = {}
    for host, allocation_id in settings.mta.allocation_ids.items():
        if allocation_id in taken:
            yield Finding(
                path=("mta", "allocationIds", host),
                value=allocation_id,
                fix=f"{taken[allocation_id]} already has this Elastic IP: use another",
            )
        taken.setdefault(allocation_id, f"MTA host {host}")
    for i, source in enumerate(settings.sources):
        if source.allocation_id is None:
            continue
        if source.allocation_id in taken:
            yield Finding(
                path=("sources", i, "allocationId"),
                value=source.allocation_id,
                fix=f"{taken[source.allocation_id]} already has this Elastic IP: use another",
            )
        taken.setdefault(source.allocation_id, f"source {source.name}")


@check("mta", "sources", "elastic_ip_quota")
def elastic_ips_fit_the_quota(settings: Settings) -> Iterator[Finding]:
    """Existing addresses count too: they are already in the region."""
    needed = settings.elastic_ips()
    balancer = " and two for the load balancer" if settings.mta.nodes > 1 else ""
    if needed > settings.elastic_ip_quota:
        yield Finding(
            path=("elasticIpQuota",),
            value=settings.elastic_ip_quota,
            fix=f"{needed} are needed, one for each MTA host and each source{balancer}: ask AWS "
            f"for a higher quota (EC2-VPC Elastic IPs), then set it to {needed} or more",
        )
