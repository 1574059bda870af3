"""Strict parameter tables: the recorded contract, turned into checks.

`data/contract.json` says in words which type each field has: `string`, `list of cidr`,
`map of limit`, `enum A|B`, or a name under its `types`. There an object is a table and a list an
untagged enum; `!` ends the name of a required field. Fields under `lacking`, and events with that
word, are kumod's but not this stand-in's.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from standins.kumod import field_types as ft
from standins.kumod.data import load
from standins.kumod.errors import KumoError
from standins.kumod.field_types import Check, Refused

_BASIC: Mapping[str, Check] = {
    "anything": ft.anything,
    "bool": ft.of_type("a boolean", bool),
    "cidr": ft.cidr,
    "duration": ft.duration,
    "int": ft.integer("usize", 2**64 - 1),
    "ip": ft.ip,
    "limit": ft.limit,
    "listen address": ft.listen_address,
    "percent": ft.percent,
    "report disposition": ft.report_disposition,
    "socket address": ft.socket_address,
    "string": ft.string,
    "throttle": ft.throttle,
    "u16": ft.integer("u16", 2**16 - 1),
    "u32": ft.integer("u32", 2**32 - 1),
}


@cache
def contract() -> dict[str, Any]:
    loaded: dict[str, Any] = load("contract")
    return loaded


@cache
def named_type(words: str) -> Check:
    if words in _BASIC:
        return _BASIC[words]
    if words.startswith("enum "):
        return ft.enum(*words.removeprefix("enum ").split("|"))
    for prefix, wrap in (("list of ", ft.list_of), ("buffered list of ", ft.buffered_list_of)):
        if words.startswith(prefix):
            return wrap(named_type(words.removeprefix(prefix)))
    if words.startswith("map of "):
        key, to, item = words.removeprefix("map of ").rpartition(" to ")
        return ft.map_of(named_type(key if to else "string"), named_type(item))
    return _described(contract()["types"][words], words)


def _described(type_: Any, name: str) -> Check:
    if isinstance(type_, str):
        return named_type(type_)
    if isinstance(type_, list):
        return ft.untagged(name, *(_described(variant, name) for variant in type_))
    lacking = contract()["lacking"].get(name, ())
    return ft.record(
        {
            field.rstrip("!"): ft.lacking(field) if field in lacking else named_type(words)
            for field, words in type_.items()
            if field[0] != "("
        },
        [field.rstrip("!") for field in type_ if field.endswith("!")],
        deny_unknown="(unknown fields)" not in type_,
        flattened="(flattened)" in type_,
    )


@cache
def table_check(table: str) -> Check:
    return _described(contract()["tables"][table], table)


def deserialize(table: str, params: Any) -> dict[str, Any]:
    """The parameters, if kumod would take them; else its complaint."""
    return deserialize_with(table_check(table), params)


def deserialize_with(check: Check, params: Any) -> dict[str, Any]:
    """As `deserialize`, for a table that is not a function's argument."""
    try:
        check(params or {} if isinstance(params, list) else params)
    except Refused as refusal:
        shown = json.dumps(params, separators=(",", ":"), ensure_ascii=False, default=str)
        raise KumoError(f"deserialize error: {refusal}, while processing {shown}") from None
    return dict(params)


def completed(table: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The fields, with kumod's defaults for missing ones."""
    defaults: dict[str, Any] = contract()["defaults"][table]
    return defaults | dict(fields or {})
