"""kumo.string, kumo.digest, kumo.encode and kumo.domain_map."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from standins.kumod.api_serde import jsonable
from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject
from standins.kumod.registry import api
from standins.kumod.templates import render

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


def lua_text(value: Any, position: int = 1) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return value
    raise KumoError(f"bad argument #{position}: error converting Lua value to String")


def _bytes(value: Any) -> bytes:
    return lua_text(value).encode("utf-8", "surrogateescape")


@api("kumo.string.replace")
def replace(_ctx: LuaContext, text: Any, old: str, new: str) -> str:
    return lua_text(text).replace(old, new)


@api("kumo.string.eval_template")
def eval_template(
    _ctx: LuaContext, name: str, template: str, context: Any = None, dialect: str = "Jinja"
) -> str:
    return render(template, jsonable(context or {}), dialect=dialect, name=name)


@api("kumo.string.psl_domain")
def psl_domain(_ctx: LuaContext, domain: str) -> str | None:
    """The stand-in knows only the common public suffixes of two labels."""
    labels = domain.lower().rstrip(".").split(".")
    two = len(labels) > 1 and labels[-2] in ("co", "com", "org", "net", "ac", "gov", "or", "ne")
    suffix = 2 if two and len(labels[-1]) == 2 else 1
    return ".".join(labels[-(suffix + 1) :]) if len(labels) > suffix else None


class Digest(LuaObject):
    """A digest: its bytes, and its hex form."""

    kind = "Digest"

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def field(self, name: str) -> Any:
        return {"bytes": self.raw, "hex": self.raw.hex()}.get(name)

    def __str__(self) -> str:
        return self.raw.hex()


@api("kumo.digest.sha256")
def sha256(_ctx: LuaContext, *values: Any) -> Digest:
    return Digest(hashlib.sha256(b"".join(_bytes(value) for value in values)).digest())


@api("kumo.encode.base64_decode")
def base64_decode(_ctx: LuaContext, value: Any) -> bytes:
    try:
        return base64.b64decode(_bytes(value), validate=True)
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
        wild = ("*." + ".".join(labels[start:]) for start in range(1, len(labels)))
        return next((self.entries[key] for key in wild if key in self.entries), None)

    def pairs(self) -> Mapping[str, Any]:
        return self.entries


@api("kumo.domain_map.new")
def domain_map_new(_ctx: LuaContext, entries: Any = None) -> DomainMap:
    return DomainMap(entries or {})
