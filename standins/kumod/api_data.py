"""kumo.string, kumo.digest, kumo.encode, kumo.time, JSON from files and text, and sqlite."""

import base64
import hashlib
import hmac
import json
import sqlite3
import zlib
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from standins.kumod import dates
from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import DataObject, Held, api, method


class Fields(DataObject):
    """Some fields of a kumod object; the others are refused by name."""

    def field(self, name: str) -> Any:
        return self.data[name] if name in self.data else super().field(name)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise KumoError("bad argument #1: error converting Lua value to String")
    return value


def _bytes(value: Any) -> bytes:
    return _text(value).encode("utf-8", "surrogateescape")


@api("kumo.string.replace")
def replace(_ctx: LuaContext, text: Any, old: str, new: str) -> str:
    return _text(text).replace(old, new)


@api("kumo.string.psl_domain")
def psl_domain(_ctx: LuaContext, domain: str) -> str | None:
    """The stand-in knows only the common public suffixes of two labels."""
    labels = domain.lower().rstrip(".").split(".")
    two = len(labels) > 1 and labels[-2] in ("co", "com", "org", "net", "ac", "gov", "or", "ne")
    suffix = 2 if two and len(labels[-1]) == 2 else 1
    return ".".join(labels[-(suffix + 1) :]) if len(labels) > suffix else None


@api("kumo.digest.sha256")
def sha256(_ctx: LuaContext, value: Any) -> Fields:
    return Fields("Digest", {"hex": hashlib.sha256(_bytes(value)).hexdigest()})


@api("kumo.digest.crc32")
def crc32(_ctx: LuaContext, value: Any) -> Fields:
    return Fields("Digest", {"hex": f"{zlib.crc32(_bytes(value)):08x}"})


@api("kumo.digest.hmac_sha256")
def hmac_sha256(ctx: LuaContext, key: Any, message: Any) -> Fields:
    digest = hmac.digest(ctx.facts.load_key_source(key), _bytes(message), "sha256")
    return Fields("Digest", {"hex": digest.hex()})


@api("kumo.encode.base64_decode")
def base64_decode(_ctx: LuaContext, value: Any) -> bytes:
    try:
        return base64.b64decode(_bytes(value), validate=True)
    except ValueError as error:
        raise KumoError(str(error)) from None


@api("kumo.json_load")
def json_load(ctx: LuaContext, path: Any) -> Any:
    return _parse(ctx.facts.read_text(_text(path)), str(path))


@api("kumo.json_parse")
def json_parse(_ctx: LuaContext, text: Any) -> Any:
    return _parse(_text(text), "value")


def _parse(text: str, name: str) -> Any:
    """As kumod parses: no NaN, no infinity, no half of a surrogate pair."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise KumoError(f"parsing {name} as json: {error}") from None
    return value


def _time(moment: datetime) -> Fields:
    fields = {"unix_timestamp": int(moment.timestamp()), "rfc2822": format_datetime(moment)}
    return Fields("Time", fields)


@api("kumo.time.now")
def now(ctx: LuaContext) -> Fields:
    return _time(datetime.fromtimestamp(ctx.facts.now(), UTC))


@api("kumo.time.with_ymd_hms")
def with_ymd_hms(_ctx: LuaContext, *parts: int) -> Fields:
    year, month, day, hour, minute, second = parts
    try:
        return _time(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    except (ValueError, TypeError) as error:
        raise KumoError(str(error)) from None


@api("kumo.time.parse_rfc2822")
def parse_rfc2822(_ctx: LuaContext, text: str) -> Fields:
    return _time(dates.parse_rfc2822(text))


@api("sqlite.open")
def sqlite_open(ctx: LuaContext, path: str, busy_timeout: int = 500) -> Held:
    """Each statement commits durably by itself."""
    real = ctx.facts.paths.real(path)
    try:
        database = sqlite3.connect(
            real, timeout=busy_timeout / 1000, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise KumoError(str(error)) from None
    return Held("SqliteConnection", database)


@method("SqliteConnection", "execute")
def sqlite_execute(ctx: LuaContext, connection: Held, query: str, *params: Any) -> Any:
    ctx.facts.counters["sqlite.execute"] += 1
    named = len(params) == 1 and isinstance(params[0], dict)
    try:
        cursor = connection.value.execute(query, params[0] if named else params)
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise KumoError(str(error)) from None
    if cursor.description is None:
        return max(cursor.rowcount, 0)
    names = [column[0] for column in cursor.description]
    # kumod reads a column before it looks whether there is a row at all.
    rows = rows or [(None,) * len(names)]
    if len(names) == 1:
        return [row[0] for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]
