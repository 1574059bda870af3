"""Patterns, and values by network or domain."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject
from standins.kumod.registry import api, method

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


class Regex(LuaObject):
    """A compiled pattern."""

    kind = "Regex"

    def __init__(self, pattern: str) -> None:
        try:
            self.compiled = re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern))
        except re.error as error:
            raise KumoError(f"regex parse error: {error}") from None


@api("regex.compile")
def regex_compile(_ctx: LuaContext, pattern: str) -> Regex:
    return Regex(pattern)


@api("regex.escape")
def regex_escape(_ctx: LuaContext, text: str) -> str:
    return re.escape(text)


def _captures(match: re.Match[str] | None) -> Any:
    if match is None:
        return None
    found: dict[Any, Any] = {0: match[0]}
    found |= {index: group for index, group in enumerate(match.groups(), 1) if group is not None}
    return found | {name: value for name, value in match.groupdict().items() if value is not None}


@method("Regex", "captures")
def regex_captures(_ctx: LuaContext, regex: Regex, text: str) -> Any:
    return _captures(regex.compiled.search(text))


@method("Regex", "is_match")
def regex_is_match(_ctx: LuaContext, regex: Regex, text: str) -> bool:
    return regex.compiled.search(text) is not None


@method("Regex", "find")
def regex_find(_ctx: LuaContext, regex: Regex, text: str) -> str | None:
    match = regex.compiled.search(text)
    return match[0] if match else None


@method("Regex", "find_all")
def regex_find_all(_ctx: LuaContext, regex: Regex, text: str) -> list[str]:
    return [match[0] for match in regex.compiled.finditer(text)]


@method("Regex", "replace")
def regex_replace(_ctx: LuaContext, regex: Regex, text: str, replacement: str) -> str:
    return regex.compiled.sub(re.sub(r"\$(\d+)", r"\\\1", replacement), text)


@method("Regex", "replacen")
def regex_replacen(_ctx: LuaContext, regex: Regex, text: str, limit: int, replacement: str) -> str:
    return regex.compiled.sub(re.sub(r"\$(\d+)", r"\\\1", replacement), text, count=int(limit))


@method("Regex", "split")
def regex_split(_ctx: LuaContext, regex: Regex, text: str) -> list[str]:
    return regex.compiled.split(text)


class CidrMap(LuaObject):
    """Values by network; the longest prefix wins."""

    kind = "CidrMap"

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = [(ipaddress.ip_network(k, strict=False), v) for k, v in entries.items()]

    def field(self, name: str) -> Any:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return None
        hits = [(net.prefixlen, value) for net, value in self.entries if address in net]
        return max(hits, key=lambda hit: hit[0])[1] if hits else None


@api("kumo.cidr.make_map")
def cidr_make_map(_ctx: LuaContext, entries: Any = None) -> CidrMap:
    try:
        return CidrMap(entries or {})
    except ValueError as error:
        raise KumoError(str(error)) from None


class DomainMap(LuaObject):
    """Values by domain, with ``*.`` wildcards."""

    kind = "DomainMap"

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = {key.lower(): value for key, value in entries.items()}

    def field(self, name: str) -> Any:
        lower = name.lower()
        if lower in self.entries:
            return self.entries[lower]
        labels = lower.split(".")
        for start in range(1, len(labels)):
            wild = "*." + ".".join(labels[start:])
            if wild in self.entries:
                return self.entries[wild]
        return None

    def pairs(self) -> Mapping[str, Any]:
        return self.entries


@api("kumo.domain_map.new")
def domain_map_new(_ctx: LuaContext, entries: Any = None) -> DomainMap:
    return DomainMap(entries or {})
