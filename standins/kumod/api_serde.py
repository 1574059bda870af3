"""kumo.serde: JSON, TOML and YAML, from files and text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject
from standins.kumod.registry import api

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


@api("kumo.json_load", "kumo.serde.json_load")
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
    except (ValueError, yaml.YAMLError) as error:
        raise KumoError(f"parsing {path} as {kind}: {error}") from None


def _plain(value: Any) -> Any:
    """Dates of TOML and YAML as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


@api("kumo.json_parse", "kumo.serde.json_parse")
def json_parse(_ctx: LuaContext, text: str) -> Any:
    return _parse("json", _strict_json, text)


def _parse(kind: str, parse: Callable[[str], Any], text: str) -> Any:
    if not isinstance(text, str):
        raise KumoError("bad argument #1: error converting Lua value to String")
    try:
        return _plain(parse(text))
    except (ValueError, yaml.YAMLError) as error:
        raise KumoError(f"parsing value as {kind}: {error}") from None


def jsonable(value: Any) -> Any:
    """Objects by their fields, bytes as text."""
    if isinstance(value, Mapping):
        return {key: jsonable(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(element) for element in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, LuaObject):
        try:
            return jsonable(dict(value.pairs()))
        except KumoError:
            return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise KumoError(f"cannot serialize <{type(value).__name__.strip('_')}>")


@api("kumo.serde.json_encode")
def json_encode(_ctx: LuaContext, value: Any = None) -> str:
    return json.dumps(jsonable(value), separators=(",", ":"), ensure_ascii=False)
