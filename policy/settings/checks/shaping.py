"""Traffic shaping: keys and values that KumoMTA accepts, for existing sources."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from policy.contract import EGRESS_PATH, EVENT_QUEUE
from policy.settings import names
from policy.settings.checks.rule import check
from policy.settings.model import Settings
from policy.settings.plain_secrets import Path
from policy.settings.problems import PROJECT, Finding, one_of

_NO_DOMAINS = ("default", "provider", EVENT_QUEUE)
_NUMBER = r"[0-9][0-9_,]*"
_RATE = re.compile(
    rf"(?:local:)?(?P<limit>{_NUMBER})/[0-9]*"
    rf"(?:h|hr|hour|m|min|minute|s|sec|second|d|day)(?:,max_burst={_NUMBER})?"
)
_LIMIT = re.compile(rf"(?:local:)?(?P<limit>{_NUMBER})")
_DURATION = re.compile(r"(?:[0-9]+ ?[a-z]+ ?)+")
_FIXES = {
    "rate": "write a rate such as 100/min or local:5/s",
    "limit": "write a whole number above 0, or local:5",
    "number": "write a whole number",
    "switch": "write true or false",
    "duration": "write a duration such as 30s or 5m",
}


@cache
def parameters() -> Mapping[str, Mapping[str, str]]:
    """Types of the values by key: of an egress path, and of domains and providers."""
    file = FilePath(__file__).parents[1] / "data" / "egress_path.json"
    found: dict[str, dict[str, str]] = json.loads(file.read_text("utf-8"))
    return found


@check("sources", "shaping")
def shaping_names_known_sources(settings: Settings) -> Iterator[Finding]:
    """A limit for an unknown source would have no effect."""
    known = [source.name for source in settings.sources]
    used: list[tuple[Path, str]] = [
        (("shaping", "warmUp", name), name) for name in settings.shaping.warm_up
    ]
    for path, table in _entries(settings):
        by_source = table.get("sources", {})
        if isinstance(by_source, dict):
            used += [((*path, "sources", name), name) for name in by_source]
    for path, name in used:
        if name not in known:
            yield Finding(
                path=path, value=name, fix=f"no source {name} is defined: {one_of(known, name)}"
            )


@check("shaping")
def shaping_tables_are_of_domains(settings: Settings) -> Iterator[Finding]:
    """Keys of shaping.toml: a domain, `default`, the webhook's queue, or `provider` tables."""
    for domain in settings.shaping.overrides:
        if domain in _NO_DOMAINS:
            continue
        try:
            names.host_name(domain)
        except names.InvalidNameError as error:
            below = next(_tables(settings.shaping.overrides[domain]), None)
            fix = str(error)
            if below and below[0] != "sources":
                whole = f"{domain}.{below[0]}"
                fix = (
                    "`pulumi config set --path` divides a key at its dots: remove this one, and "
                    f'set {PROJECT}:shaping.overrides["{whole}"], in brackets and quotes'
                )
            yield Finding(path=("shaping", "overrides", domain), value=domain, fix=fix)


@check("shaping")
def shaping_keeps_the_contract(settings: Settings) -> Iterator[Finding]:
    """The contract with PING8 fixes TLS, port and address family of every path."""
    default = settings.shaping.overrides.get("default", {})
    for key, value in EGRESS_PATH.items():
        if key in default and default[key] != value:
            yield Finding(
                path=("shaping", "overrides", "default", key),
                value=default[key],
                fix=f"remove it: every path has {value}; set it for individual domains",
            )


@check("shaping")
def shaping_stays_on_port_25(settings: Settings) -> Iterator[Finding]:
    """A proxy host can reach no other port, so such mail would wait until it expires."""
    for path, table in _paths(settings):
        if table.get("smtp_port", 25) != 25:
            yield Finding(
                path=(*path, "smtp_port"),
                value=table["smtp_port"],
                fix="remove it: the firewall lets a proxy host reach only port 25",
            )


@check("shaping")
def shaping_keys_are_kumomtas(settings: Settings) -> Iterator[Finding]:
    """kumod rejects unknown keys, but only when it starts."""
    for path, table in _entries(settings):
        provider = path[2] == "provider"
        known = {**parameters()["path"], **parameters()["provider" if provider else "domain"]}
        yield from _wrong(path, table, known)
        for name, inner in _tables(table.get("sources")):
            yield from _wrong((*path, "sources", name), inner, parameters()["path"])


@check("shaping")
def warm_up_does_not_shrink(settings: Settings) -> Iterator[Finding]:
    """A day that allows less than the one before is probably a typing error."""
    for name, plan in settings.shaping.warm_up.items():
        for i in range(1, len(plan.daily)):
            if plan.daily[i] < plan.daily[i - 1]:
                yield Finding(
                    path=("shaping", "warmUp", name, "daily", i),
                    value=plan.daily[i],
                    fix=f"the day before allows {plan.daily[i - 1]}: write that many or more",
                )


def _entries(settings: Settings) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The tables of domains and of providers."""
    for domain, table in settings.shaping.overrides.items():
        if domain == "provider":
            for name, inner in _tables(table):
                yield ("shaping", "overrides", "provider", name), inner
        else:
            yield ("shaping", "overrides", domain), table


def _paths(settings: Settings) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The tables of domains and providers, and of the sources in them."""
    for path, table in _entries(settings):
        yield path, table
        for name, inner in _tables(table.get("sources")):
            yield (*path, "sources", name), inner


def _tables(value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in value.items() if isinstance(value, dict) else ():
        if isinstance(table, dict):
            yield name, table


def _wrong(path: Path, table: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in table.items():
        if key not in known:
            fix = f"KumoMTA has no such key; {one_of(list(known), key)}"
            yield Finding(path=(*path, key), value=value, fix=fix)
            continue
        kind = known[key]
        if kind.startswith("table of "):
            values = list(value.items()) if isinstance(value, dict) else [(None, None)]
        else:
            values = [(None, value)]
        for name, one in values:
            place = (*path, key) if name is None else (*path, key, name)
            if not _is(kind.removeprefix("table of "), one):
                fix = _FIXES[kind.removeprefix("table of ")]
                yield Finding(path=place, value=one, fix=fix)


def _is(kind: str, value: object) -> bool:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind in {"rate", "limit"}:
        form = _RATE if kind == "rate" else _LIMIT
        found = form.fullmatch(str(value)) if isinstance(value, str) or number else None
        return found is not None and bool(found["limit"].strip("0_,"))
    if kind == "duration":
        return number or (isinstance(value, str) and _DURATION.fullmatch(value) is not None)
    if kind == "number":
        return number
    return isinstance(value, bool) if kind == "switch" else True
