"""Compares the existing records of a zone with a record to be created."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain


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


class ZoneRecords:
    """The record sets of a zone, found by name."""

    def __init__(self, zone: str, held: Iterable[Held]) -> None:
        self._zone = zone
        self._by_name: dict[str, list[Held]] = {}
        for each in held:
            self._by_name.setdefault(each.plain, []).append(each)

    def obstacle(self, name: str, kind: str) -> Held | None:
        """The record set that hides this one, or keeps it from being made: a delegation of its
        name or above, the same, or an alias."""
        delegations = (
            each
            for above in (name, *_above(name, self._zone))
            if above != self._zone
            for each in self._by_name.get(above, ())
            if each.type == "NS"
        )
        same = (
            each
            for each in self._by_name.get(name, ())
            if kind == each.type or "CNAME" in (kind, each.type)
        )
        return next(chain(delegations, same), None)

    def stricter_dmarc(self, name: str, values: Iterable[str]) -> Held | None:
        """The DMARC record that a new one would weaken: the nearest one above that domain."""
        label, _, domain = name.partition(".")
        own = next((tags["p"] for tags in map(_dmarc_tags, values) if "p" in tags), None)
        if label != "_dmarc" or own is None:
            return None
        for above in _above(domain, self._zone):
            for each in self._by_name.get(f"_dmarc.{above}", ()):
                tags = next(filter(None, map(_dmarc_tags, each.values)), {})
                if each.type == "TXT" and "p" in tags:
                    inherited = tags.get("sp", tags["p"])
                    return each if strength(own) < strength(inherited) else None
        return None


def strength(policy: str) -> int:
    """Strength of a DMARC policy; an unknown one counts as none."""
    return _POLICIES.index(policy) if policy in _POLICIES else 0


_POLICIES = ("none", "quarantine", "reject")


def _above(name: str, zone: str) -> Iterator[str]:
    """The names above this one in the zone, nearest first; its own is the last."""
    while name != zone and "." in name:
        name = name.partition(".")[2]
        yield name


def _dmarc_tags(value: str) -> dict[str, str]:
    parts = (part.partition("=") for part in value.strip('"').lower().split(";"))
    tags = {name.strip(): text.strip() for name, _, text in parts}
    return tags if tags.get("v") == "dmarc1" else {}
