"""kumo.string, kumo.digest, kumo.encode, kumo.time, and JSON and TOML from files and text."""

import base64
import hashlib
import hmac
import json
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from standins.kumod import dates
from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import LuaObject, api


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


@api("kumo.digest.hmac_sha256")
def hmac_sha256(ctx: LuaContext, key: Any, message: Any) -> Digest:
    """A MAC under a key source."""
    return Digest(hmac.digest(ctx.facts.load_key_source(key), _bytes(message), "sha256"))


@api("kumo.encode.base64_decode")
def base64_decode(_ctx: LuaContext, value: Any) -> bytes:
    try:
        return base64.b64decode(_bytes(value), validate=True)
    except ValueError as error:
        raise KumoError(str(error)) from None


@api("kumo.json_load")
def json_load(ctx: LuaContext, path: str) -> Any:
    return _load(ctx, path, "json", _strict_json)


def _strict_json(text: str) -> Any:
    """As kumod parses: no NaN, no number without bounds, no half of a surrogate pair."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("recursion limit exceeded") from None
    return value


@api("kumo.toml_load")
def toml_load(ctx: LuaContext, path: str) -> Any:
    return _load(ctx, path, "toml", tomllib.loads)


def _load(ctx: LuaContext, path: str, kind: str, parse: Callable[[str], Any]) -> Any:
    if not isinstance(path, str):
        raise KumoError("bad argument #1: error converting Lua value to String")
    text = ctx.facts.read_text(path)
    try:
        return _plain(parse(text))
    except ValueError as error:
        raise KumoError(f"parsing {path} as {kind}: {error}") from None


def _plain(value: Any) -> Any:
    """Dates of TOML as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


@api("kumo.json_parse")
def json_parse(_ctx: LuaContext, text: str) -> Any:
    return _parse("json", _strict_json, text)


def _parse(kind: str, parse: Callable[[str], Any], text: str) -> Any:
    if not isinstance(text, str):
        raise KumoError("bad argument #1: error converting Lua value to String")
    try:
        return _plain(parse(text))
    except ValueError as error:
        raise KumoError(f"parsing value as {kind}: {error}") from None


class Time(LuaObject):
    """A moment, in UTC unless it was parsed with another zone."""

    kind = "Time"

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def field(self, name: str) -> Any:
        moment = self.moment
        simple = {
            "year": moment.year, "month": moment.month, "day": moment.day, "hour": moment.hour,
            "minute": moment.minute, "second": moment.second,
            "unix_timestamp": int(moment.timestamp()),
            "unix_timestamp_millis": int(moment.timestamp() * 1000),
            "rfc3339": moment.isoformat().replace("+00:00", "Z"),
            "rfc2822": format_datetime(moment),
        }  # fmt: skip
        return simple.get(name)

    def __str__(self) -> str:
        return self.moment.isoformat()


@api("kumo.time.now")
def now(ctx: LuaContext) -> Time:
    return Time(datetime.fromtimestamp(ctx.facts.clock.now(), UTC))


@api("kumo.time.with_ymd_hms")
def with_ymd_hms(_ctx: LuaContext, *parts: int) -> Time:
    try:
        return Time(datetime(*(int(part) for part in parts), tzinfo=UTC))  # type: ignore[misc, arg-type]
    except (ValueError, TypeError) as error:
        raise KumoError(str(error)) from None


@api("kumo.time.parse_rfc2822")
def parse_rfc2822(_ctx: LuaContext, text: str) -> Time:
    return Time(dates.parse_rfc2822(text))
