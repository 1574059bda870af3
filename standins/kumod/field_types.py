"""Checks of single values, worded as kumod's deserializer words its complaints."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from standins.kumod.durations import parse_duration, parse_throttle

Check = Callable[[Any], None]


class Refused(Exception):
    """The value does not fit its field."""


def unexpected(value: object) -> str:
    """How serde names a value of the wrong type."""
    match value:
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f"string {json.dumps(value, ensure_ascii=False)}"
    names = ((list, "sequence"), (Mapping, "map"), (type(None), "unit value"))
    return next((name for kind, name in names if isinstance(value, kind)), "userdata")


def one_of(names: Sequence[str]) -> str:
    """The tail of «unknown field» and «unknown variant»."""
    quoted = [f"`{name}`" for name in names]
    if not quoted:
        return ""
    if len(quoted) == 1:
        return f", expected {quoted[0]}"
    if len(quoted) == 2:
        return f", expected {quoted[0]} or {quoted[1]}"
    return f", expected one of {', '.join(quoted)}"


_LUA_TYPES: tuple[tuple[Any, str], ...] = (
    (type(None), "nil"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    ((list, Mapping), "table"),
)


def _no_table(value: object) -> Refused:
    """mlua's own complaint, by Lua's name of the type, where a table is needed."""
    name = next((name for kind, name in _LUA_TYPES if isinstance(value, kind)), "userdata")
    return Refused(f"invalid type: {name}, expected table")


def _refuse_type(value: object, expected: str) -> Refused:
    return Refused(f"invalid type: {unexpected(value)}, expected {expected}")


def string(value: Any) -> None:
    if not isinstance(value, str):
        raise _refuse_type(value, "a string")


def boolean(value: Any) -> None:
    if not isinstance(value, bool):
        raise _refuse_type(value, "a boolean")


def integer(name: str = "usize", maximum: int = 2**64 - 1) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _refuse_type(value, name)
        if not 0 <= value <= maximum:
            raise Refused(f"invalid value: {unexpected(value)}, expected {name}")

    return check


def duration(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _refuse_type(value, "a duration")
    if isinstance(value, int) and value < 0:
        raise Refused(
            "duration must either be a string or a positive integer specifying the number of "
            "seconds. (error: out of range integral type conversion attempted)"
        )
    if parse_duration(value) is None:
        raise Refused(f"invalid value: {unexpected(value)}, expected a duration")


def throttle(value: Any) -> None:
    if not isinstance(value, str):
        raise _refuse_type(value, "a string")
    parsed = parse_throttle(value)
    if isinstance(parsed, str):
        raise Refused(parsed)


def limit(value: Any) -> None:
    """A connection limit: a number, or a string with an optional ``local:``."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _refuse_type(value, "string or numeric limit spec")
    if isinstance(value, int):
        if value < 1:
            raise Refused("limit must be 1 or larger")
        return
    digits = value.removeprefix("local:").replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdigit()):
        problem = (
            "invalid digit found in string"
            if digits
            else ("cannot parse integer from empty string")
        )
        raise Refused(f"invalid limit '{digits}': {problem}")
    if int(digits) == 0:
        raise Refused(f"invalid LimitSpec `{value}`: limit must be greater than 0!")


def ip(value: Any) -> None:
    string(value)
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise Refused("invalid IP address syntax") from None


def socket_address(value: Any) -> None:
    string(value)
    host, colon, port = value.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
        valid = bool(colon) and port.isdigit() and int(port) < 2**16
    except ValueError:
        valid = False
    if not valid:
        raise Refused("invalid socket address syntax")


def listen_address(value: Any) -> None:
    """kumod binds it later; a name is as good as an address, a missing port is not."""
    string(value)
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 2**16):
        raise Refused("invalid socket address syntax")


def cidr(value: Any) -> None:
    string(value)
    if value == "any":
        return
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        problem = "couldn't parse address in network: invalid IP address syntax"
        raise Refused(f"{value}: {problem}") from None
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise Refused(f"{value}: host part of address was not zero") from None


def percent(value: Any) -> None:
    """A number of bytes (or inodes), or a percentage."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _refuse_type(value, "a string or integer")
    if isinstance(value, int):
        if value < 0:
            raise Refused(f"invalid value: {unexpected(value)}, expected u64")
        return
    match = re.fullmatch(r"(\d+)(%?)", value)
    if match is None or (match[2] and int(match[1]) > 100):
        raise Refused(f"invalid value: {unexpected(value)}, expected a percentage or a number")


def enum(*variants: str) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, str):
            raise Refused("bad enum value")
        if value not in variants:
            raise Refused(f"unknown variant `{value}`{one_of(variants)}")

    return check


def report_disposition(value: Any) -> None:
    if isinstance(value, bool):
        return
    expected = "a boolean value or one of 'Ignore', 'LogThenDrop' or 'LogThenRelay'"
    if not isinstance(value, str):
        raise _refuse_type(value, expected)
    if value not in ("Ignore", "LogThenDrop", "LogThenRelay"):
        raise Refused(f"invalid value: {unexpected(value)}, expected {expected}")


def list_of(item: Check) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, Mapping) and not value:
            return
        if not isinstance(value, list):
            raise _no_table(value)
        for element in value:
            item(element)

    return check


def buffered_list_of(item: Check) -> Check:
    """A list in a flattened part, which serde buffers: there Lua's empty table reads as a map."""
    check_items = list_of(item)

    def check(value: Any) -> None:
        if not value and isinstance(value, list | Mapping):
            raise Refused("invalid type: map, expected a sequence")
        check_items(value)

    return check


def map_of(key: Check, item: Check) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, Mapping):
            raise _no_table(value)
        for name, element in value.items():
            key(name)
            item(element)

    return check


def record(
    fields: Mapping[str, Check],
    required: Sequence[str] = (),
    *,
    deny_unknown: bool = True,
    flattened: bool = False,
) -> Check:
    """A struct. ``flattened``: serde does not list the known fields of such a struct."""

    def check(value: Any) -> None:
        if not isinstance(value, Mapping):
            raise _no_table(value)
        for name, element in value.items():
            if name in fields:
                fields[name](element)
            elif deny_unknown:
                raise Refused(f"unknown field `{name}`{'' if flattened else one_of(list(fields))}")
        for name in required:
            if name not in value:
                raise Refused(f"missing field `{name}`")

    return check


def untagged(type_name: str, *variants: Check) -> Check:
    """The first variant that fits; serde keeps the reasons of the others to itself."""

    def check(value: Any) -> None:
        for variant in variants:
            try:
                variant(value)
            except Refused:
                continue
            return
        raise Refused(f"data did not match any variant of untagged enum {type_name}")

    return check


def anything(value: Any) -> None:
    """A field whose type is not recorded."""
