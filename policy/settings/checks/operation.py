"""Operators, shaping, alarms and tags."""

import ipaddress
import re
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from policy.contract import KUMOD_REFUSES_BELOW
from policy.settings.base import seconds
from policy.settings.checks.network import PRIVATE_NETWORKS
from policy.settings.checks.rule import check
from policy.settings.model import Settings
from policy.settings.problems import Finding

WIDEST_PREFIX = 16
"""A public network wider than this is not somebody's office."""

MOST_CIDRS = 50
"""AWS allows 60 rules per security group; the others are ours."""

MOST_TAGS = 40
"""AWS allows 50 per resource; the others are ours."""

_RSA_BITS = 2048
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 60, 300
_LONGEST_PERIOD = 86400
_LONGEST_FORECAST = 29 * 86400


@check("operators")
def ssh_is_not_open_to_the_world(settings: Settings) -> Iterator[Finding]:
    """SSH is limited to networks that the settings list."""
    cidrs = settings.operators.cidrs
    if not cidrs:
        yield Finding(
            path=("operators", "cidrs"),
            value="[]",
            fix="list the networks that may log in, including the machine that runs Pulumi",
        )
    if len(cidrs) > MOST_CIDRS:
        yield Finding(
            path=("operators", "cidrs"),
            value=f"{len(cidrs)} networks",
            fix=f"list {MOST_CIDRS} or fewer: a security group has no room for more rules",
        )
    for i, text in enumerate(cidrs):
        network = ipaddress.IPv4Network(text)
        private = any(network.subnet_of(known) for known in PRIVATE_NETWORKS)
        if network.prefixlen < WIDEST_PREFIX and not private:
            yield Finding(
                path=("operators", "cidrs", i),
                value=text,
                fix=f"list the operators' own networks, /{WIDEST_PREFIX} or smaller: SSH must "
                "not be open to the world",
            )
        if text in cidrs[:i]:
            yield Finding(
                path=("operators", "cidrs", i), value=text, fix="already listed: remove one"
            )


def _key_fix(text: str) -> str | None:
    if "PRIVATE KEY" in text:
        return (
            "this is a private key: replace it with the line of a .pub file, and make a new key, "
            "because this one is now exposed"
        )
    if "\n" in text.strip():
        return "write one key per line, as in the .pub file"
    try:
        key = load_ssh_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        return "write a public key as in the .pub file: ssh-ed25519 AAAA... name"
    if isinstance(key, DSAPublicKey):
        return "hosts reject DSA: use an ssh-ed25519 key"
    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        return f"RSA of {key.key_size} bits is weak: use an ssh-ed25519 key"
    return None


@check("operators")
def ssh_keys_are_public(settings: Settings) -> Iterator[Finding]:
    """It is easy to paste the wrong file."""
    for i, text in enumerate(settings.operators.ssh_keys):
        fix = _key_fix(text)
        if fix is not None:
            yield Finding(path=("operators", "sshKeys", i), value=text, fix=fix)


@check("alarms")
def disk_alarms_come_before_kumod_refuses(settings: Settings) -> Iterator[Finding]:
    """The warning and the alarm come before the 10 % at which kumod refuses mail."""
    alarms = settings.alarms
    if alarms.disk_free_critical <= KUMOD_REFUSES_BELOW:
        yield Finding(
            path=("alarms", "diskFreeCritical"),
            value=alarms.disk_free_critical,
            fix=f"use more than {KUMOD_REFUSES_BELOW}: kumod refuses mail at that percentage",
        )
    if alarms.disk_free_warning <= alarms.disk_free_critical:
        yield Finding(
            path=("alarms", "diskFreeWarning"),
            value=alarms.disk_free_warning,
            fix=f"use more than diskFreeCritical = {alarms.disk_free_critical}",
        )


@check("alarms")
def metrics_are_sent_each_minute_at_most(settings: Settings) -> Iterator[Finding]:
    """CloudWatch charges for each call, and more for high resolution."""
    if seconds(settings.alarms.interval) < _SHORTEST_INTERVAL:
        yield Finding(
            path=("alarms", "interval"),
            value=settings.alarms.interval,
            fix="use 1m or more: CloudWatch charges each call",
        )


@check("alarms")
def alarms_look_at_a_day_at_most(settings: Settings) -> Iterator[Finding]:
    """CloudWatch allows no longer periods; alarms of minutes need metrics every few minutes."""
    if seconds(settings.alarms.interval) > _LONGEST_INTERVAL:
        yield Finding(
            path=("alarms", "interval"),
            value=settings.alarms.interval,
            fix="use 5m or less: alarms must notice problems within minutes",
        )
    if not _SHORTEST_INTERVAL <= seconds(settings.alarms.no_delivery) <= _LONGEST_PERIOD:
        yield Finding(
            path=("alarms", "noDelivery"),
            value=settings.alarms.no_delivery,
            fix="use 1m to 24h: CloudWatch supports no other periods",
        )


@check("alarms")
def forecasts_look_a_month_ahead_at_most(settings: Settings) -> Iterator[Finding]:
    """Hosts report 720 hours for a disk that does not grow, which must not raise an alarm."""
    if seconds(settings.alarms.full_within) > _LONGEST_FORECAST:
        yield Finding(
            path=("alarms", "fullWithin"),
            value=settings.alarms.full_within,
            fix="use 29d or less: hosts forecast no further",
        )


@check("alarms", "region")
def topic_is_in_the_region(settings: Settings) -> Iterator[Finding]:
    """An alarm can only notify a topic in its own region."""
    topic = settings.alarms.topic
    if topic is not None and topic.split(":")[3] != settings.region:
        yield Finding(
            path=("alarms", "topic"),
            value=topic,
            fix=f"use a topic in {settings.region}: alarms cannot notify another region",
        )


@check("logs")
def shipping_has_a_bucket(settings: Settings) -> Iterator[Finding]:
    """Bucket names are unique worldwide, so the operators choose one."""
    if settings.logs.ship and settings.logs.bucket is None:
        yield Finding(
            path=("logs", "bucket"),
            value="",
            fix="set the name of the bucket for shipped logs, or logs.ship: false",
        )


_TAG = re.compile(r"[\w .:/=+@-]*")
_LONGEST_TAG_KEY, _LONGEST_TAG_VALUE = 128, 256


def _tag_fix(key: str, value: str) -> str | None:
    if key.lower().startswith("aws:"):
        return "keys that begin with aws: are reserved: choose another"
    if key == "Name":
        return "every resource sets its own Name: choose another key"
    if not 0 < len(key) <= _LONGEST_TAG_KEY or len(value) > _LONGEST_TAG_VALUE:
        return f"AWS allows {_LONGEST_TAG_KEY} characters in a key, {_LONGEST_TAG_VALUE} in a value"
    if not (_TAG.fullmatch(key) and _TAG.fullmatch(value)):
        return "use letters, digits, spaces and . : / = + - @ _"
    return None


@check("tags")
def tags_are_possible(settings: Settings) -> Iterator[Finding]:
    """AWS would reject bad tags one resource at a time, in the middle of an update."""
    if len(settings.tags) > MOST_TAGS:
        yield Finding(
            path=("tags",),
            value=f"{len(settings.tags)} tags",
            fix=f"use {MOST_TAGS} or fewer: AWS allows 50, including ours",
        )
    for key, value in settings.tags.items():
        fix = _tag_fix(key, value)
        if fix is not None:
            yield Finding(path=("tags", key), value=value, fix=fix)
