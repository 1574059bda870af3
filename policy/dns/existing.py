"""Compares the existing records of a zone with a record to be created."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from policy.settings.names import lies_in


@dataclass(frozen=True, kw_only=True)
class Held:
    """A record set of a Route 53 zone, as its API spells it."""

    name: str
    type: str
    values: tuple[str, ...] = ()

    @cached_property
    def plain(self) -> str:
        """The name as we write it: `\\052` is an asterisk, and no dot comes last."""
        text = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), self.name)
        return text.rstrip(".").lower()


def obstacle(name: str, kind: str, zone: str, held: Iterable[Held]) -> Held | None:
    """The record set that keeps this one from being made, or hides it: the same, an alias, or a
    delegation above it."""
    for each in held:
        delegates = each.type == "NS" and each.plain != zone and lies_in(name, each.plain)
        same = each.plain == name and (kind == each.type or "CNAME" in (kind, each.type))
        if same or delegates:
            return each
    return None


def weaker_dmarc(name: str, values: Iterable[str], zone: str, held: Iterable[Held]) -> Held | None:
    """The DMARC record that a new one would weaken: the nearest one above that domain."""
    label, _, domain = name.partition(".")
    if label != "_dmarc":
        return None
    sets = {each.plain: each for each in held if each.type == "TXT"}
    own = next((tags["p"] for tags in map(_dmarc_tags, values) if "p" in tags), None)
    while own is not None and domain != zone and "." in domain:
        domain = domain.partition(".")[2]
        above = sets.get(f"_dmarc.{domain}")
        tags = next(filter(None, map(_dmarc_tags, above.values)), {}) if above else {}
        if above is not None and "p" in tags:
            inherited = tags.get("sp", tags["p"])
            return above if strength(own) < strength(inherited) else None
    return None


def strength(policy: str) -> int:
    """Strength of a DMARC policy; an unknown one counts as none."""
    return _POLICIES.index(policy) if policy in _POLICIES else 0


_POLICIES = ("none", "quarantine", "reject")


def _dmarc_tags(value: str) -> dict[str, str]:
    parts = (part.partition("=") for part in value.strip('"').lower().split(";"))
    tags = {name.strip(): text.strip() for name, _, text in parts}
    return tags if tags.get("v") == "dmarc1" else {}
