"""Advice: leftover example values, and what an operator may have forgotten."""

import datetime
import ipaddress
from collections.abc import Iterator, Mapping

from policy.settings import names
from policy.settings.checks.network import PRIVATE_NETWORKS
from policy.settings.domains import WhenUnpublished
from policy.settings.model import Settings
from policy.settings.plain_secrets import Path
from policy.settings.problems import PROJECT, Problem, SettingsError, key_of, shown
from policy.settings.ubuntu import ubuntu_releases

_EXAMPLE_DOMAINS = ("example", "example.com", "example.net", "example.org")
_EXAMPLE_NETWORKS = tuple(
    ipaddress.IPv4Network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
)
_EXAMPLE_ADDRESS = "eipalloc-0123456789abcdef0"
_EXAMPLE_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIAzBrkHjQgVeDMuaBvkmQddm5yqCoicEIMlMoXu8KWiy"
"""The key of an example; keeping it would let a stranger in."""


def is_trial(settings: Settings) -> bool:
    """Whether the environment is only for trials, like the sandbox: a zone in `.test`."""
    return names.lies_in(settings.zone, "test")


def examples_left(settings: Settings) -> tuple[Problem, ...]:
    """Example values that a real environment cannot have."""
    if is_trial(settings):
        return ()
    return tuple(
        Problem(
            key=f"{PROJECT}:{key_of(path)}",
            value=shown(value),
            fix="this is an example from the documentation: write your own",
        )
        for path, value in _examples(settings)
    )


def _examples(settings: Settings) -> Iterator[tuple[Path, str]]:
    host = settings.webhook.url.split("/")[2].partition(":")[0]
    named: list[tuple[Path, str, str]] = [
        (("zone",), settings.zone, settings.zone),
        (("webhook", "url"), settings.webhook.url, host),
    ]
    named += [
        (("domains", i), domain.name, domain.name) for i, domain in enumerate(settings.domains)
    ]
    named += [
        (("operators", "emails", i), email, email.rpartition("@")[2])
        for i, email in enumerate(settings.operators.emails)
    ]
    for path, value, name in named:
        if any(names.lies_in(name, example) for example in _EXAMPLE_DOMAINS):
            yield path, value
    for i, text in enumerate(settings.operators.cidrs):
        network = ipaddress.IPv4Network(text)
        if any(network.subnet_of(example) for example in _EXAMPLE_NETWORKS):
            yield ("operators", "cidrs", i), text
    for i, key in enumerate(settings.operators.ssh_keys):
        if _EXAMPLE_KEY in key:
            yield ("operators", "sshKeys", i), key
    for i, source in enumerate(settings.sources):
        if source.allocation_id == _EXAMPLE_ADDRESS:
            yield ("sources", i, "allocationId"), _EXAMPLE_ADDRESS


_WHILE_UNPUBLISHED: Mapping[WhenUnpublished, str] = {
    "hold": "injection is refused for now for",
    "sign-anyway": "receivers cannot verify mail of",
}
_NAMED = 10
"""Sender domains that a message names; the others are counted."""


def refuse_unpublished(settings: Settings) -> None:
    """Raises `SettingsError` if `whenUnpublished` rejects an update for what DNS does not have."""
    waiting = _unpublished(settings, "refuse")
    if waiting:
        fix = (
            f"DNS does not have the records of {waiting}: run `ping8 domains check`, send owners "
            "what is missing (--pages), or set hold"
        )
        key = f"{PROJECT}:domains[].whenUnpublished"
        raise SettingsError([Problem(key=key, value="refuse", fix=fix)])


def _unpublished(settings: Settings, when: WhenUnpublished) -> str:
    """The sender domains that wait for records in DNS; empty if there is none."""
    waiting = [
        domain.name
        for domain in settings.domains
        if domain.when_unpublished == when and domain.name in settings.unpublished
    ]
    more = len(waiting) - _NAMED
    listed = ", ".join(waiting[:_NAMED])
    return f"{listed} and {more:,} more" if more > 0 else listed


def warnings(settings: Settings, today: datetime.date) -> tuple[str, ...]:
    """One line for each thing that was probably forgotten."""
    return () if is_trial(settings) else tuple(_warnings(settings, today))


def _warnings(settings: Settings, today: datetime.date) -> Iterator[str]:
    if settings.alarms.enabled and not settings.operators.emails and settings.alarms.topic is None:
        yield (
            f"{PROJECT}:operators.emails: nobody is notified of alarms; add an address, or a topic "
            "in alarms.topic"
        )
    if not settings.operators.ssh_keys:
        yield (
            f"{PROJECT}:operators.sshKeys: no operator has a key, so only Pulumi's machine can "
            "log in; add their public keys"
        )
    for when, effect in _WHILE_UNPUBLISHED.items():
        if waiting := _unpublished(settings, when):
            yield (
                f"{PROJECT}:domains[].whenUnpublished = {when}: {effect} {waiting}, as DNS does "
                "not have their records: run `ping8 domains check`"
            )
    kumomta, ubuntu = settings.kumomta, ubuntu_releases()[settings.os.release]
    if kumomta.pin is None and not kumomta.preinstalled:
        yield (
            f"{PROJECT}:kumomta.pin: hosts trust the key that they find in KumoMTA's repository; "
            f"run `ping8 kumomta pin {kumomta.version}`"
        )
    if not ubuntu["packaged"] and not kumomta.preinstalled:
        yield (
            f"{PROJECT}:os.release = {settings.os.release}: KumoMTA does not package it, so hosts "
            "get the packages for 22.04"
        )
    updates = ubuntu["pro_until" if settings.os.pro else "standard_until"]
    if updates <= today.year:
        yield (
            f"{PROJECT}:os.release = {settings.os.release}: its security updates end in {updates}; "
            + ("choose a newer release" if settings.os.pro else "set os.pro, or a newer release")
        )
    warm_up = settings.shaping.warm_up
    new = [
        source.name
        for source in settings.sources
        if source.allocation_id is None and source.name not in warm_up
    ]
    if new:
        yield (
            f"{PROJECT}:shaping.warmUp: no limit for {', '.join(new)}; a new address needs a "
            "warm-up (docs/day-two.md, Warm up an address), a warm one its allocationId"
        )
    for name, plan in warm_up.items():
        if plan.start + datetime.timedelta(days=len(plan.daily)) <= today:
            yield f"{PROJECT}:shaping.warmUp.{name}: it has ended; remove it"
    yield from _brands_in_one_zone(settings)
    for i, text in enumerate(settings.operators.cidrs):
        network = ipaddress.IPv4Network(text)
        if any(network.subnet_of(private) for private in PRIVATE_NETWORKS):
            yield (
                f"{PROJECT}:operators.cidrs[{i}] = {text}: a private network can reach the hosts "
                "only through a VPN or peering, which this program does not create"
            )


def _brands_in_one_zone(settings: Settings) -> Iterator[str]:
    """Only where there are several proxy hosts: with one, nothing else was meant."""
    if len(settings.proxies) < 2:
        return
    for brand in settings.brands:
        used = settings.proxies_of(settings.pool(brand.pool))
        names_used = ", ".join(proxy.name for proxy in used)
        if len(used) == 1:
            yield (
                f"{PROJECT}:brands.{brand.name}: its mail waits while {names_used} is down; add a "
                f"source on another proxy host to pool {brand.pool}"
            )
        elif len({proxy.subnet for proxy in used}) == 1:
            yield (
                f"{PROJECT}:brands.{brand.name}: {names_used} are in one availability zone; add a "
                f"source on a proxy host with subnet {1 - used[0].subnet} to pool {brand.pool}"
            )
