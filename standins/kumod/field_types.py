"""Checks of single values, in the words of kumod's deserializer."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from standins.kumod.durations import parse_duration, parse_limit, parse_throttle
from standins.kumod.errors import KumoError

Check = Callable[[Any], None]


class Refused(Exception):
    """The value is not valid for its field."""


#: Each type as serde names it in a complaint, and as Lua does.
_NAMES: tuple[tuple[Any, str, str], ...] = (
    (bool, "boolean `{}`", "boolean"),
    (int, "integer `{}`", "integer"),
    (float, "floating point `{}`", "number"),
    (str, "string {}", "string"),
    (list, "sequence", "table"),
    (Mapping, "map", "table"),
    (type(None), "unit value", "nil"),
    (object, "userdata", "userdata"),
)


def _wrong_type(value: object, expected: str, said: str = "type") -> Refused:
    name = next(name for kind, name, _ in _NAMES if isinstance(value, kind))
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return Refused(f"invalid {said}: {name.format(shown)}, expected {expected}")


def _no_table(value: object) -> Refused:
    """mlua's own complaint, by Lua's name of the type, where a table is needed."""
    name = next(name for kind, _, name in _NAMES if isinstance(value, kind))
    return Refused(f"invalid type: {name}, expected table")


def one_of(names: Sequence[str]) -> str:
    """The tail of «unknown field» and «unknown variant»."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > 2:
        return f", expected one of {', '.join(quoted)}"
    return f", expected {' or '.join(quoted)}" if quoted else ""


def anything(value: Any) -> None:
    """A field whose type is not recorded."""


def lacking(field: str) -> Check:
    """A field of kumod that the stand-in would ignore."""

    def refuse(_value: Any) -> None:
        raise KumoError(f"{field} is not in this stand-in for kumod")

    return refuse


def of_type(expected: str, *kinds: type) -> Check:
    """A value of one of these Python types; a boolean is not a number."""

    def check(value: Any) -> None:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise _wrong_type(value, expected)

    return check


string = of_type("a string", str)


def integer(name: str, maximum: int) -> Check:
    is_integer = of_type(name, int)

    def check(value: Any) -> None:
        is_integer(value)
        if not 0 <= value <= maximum:
            raise _wrong_type(value, name, "value")

    return check


def parsed(parse: Callable[[str], object], complaint: str = "{error}") -> Check:
    """A string that can be parsed; the complaint may show the string and the parser's error."""

    def check(value: Any) -> None:
        string(value)
        try:
            parse(value)
        except ValueError as error:
            raise Refused(complaint.format(value=value, error=error)) from None

    return check


throttle = parsed(parse_throttle)
ip = parsed(ipaddress.ip_address, "invalid IP address syntax")


def duration(value: Any) -> None:
    of_type("a duration", str, int, float)(value)
    if parse_duration(value) is None:
        raise _wrong_type(value, "a duration", "value")


def limit(value: Any) -> None:
    """A connection limit: a number, or a string with an optional ``local:``."""
    of_type("string or numeric limit spec", str, int)(value)
    if isinstance(value, int) and value < 1:
        raise Refused("limit must be 1 or larger")
    if isinstance(value, str):
        parsed(lambda text: parse_limit(text.removeprefix("local:")))(value)
        if parse_limit(value.removeprefix("local:")) == 0:
            raise Refused(f"invalid LimitSpec `{value}`: limit must be greater than 0!")


def _listen_address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) >= 2**16:
        raise ValueError
    return host.strip("[]")


#: kumod binds it later; a name is as good as an address, a missing port is not.
listen_address = parsed(_listen_address, "invalid socket address syntax")
socket_address = parsed(
    lambda text: ipaddress.ip_address(_listen_address(text)), "invalid socket address syntax"
)


def cidr(value: Any) -> None:
    if value == "any":
        return
    problem = "{value}: couldn't parse address in network: invalid IP address syntax"
    parsed(lambda text: ipaddress.ip_network(text, strict=False), problem)(value)
    parsed(ipaddress.ip_network, "{value}: host part of address was not zero")(value)


def percent(value: Any) -> None:
    """A number of bytes (or inodes), or a percentage."""
    of_type("a string or integer", str, int)(value)
    match = re.fullmatch(r"(\d+)(%?)", str(value))
    if match is None or (match[2] and int(match[1]) > 100):
        raise _wrong_type(value, "a percentage or a number", "value")


def enum(*variants: str) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, str):
            raise Refused("bad enum value")
        if value not in variants:
            raise Refused(f"unknown variant `{value}`{one_of(variants)}")

    return check


def report_disposition(value: Any) -> None:
    expected = "a boolean value or one of 'Ignore', 'LogThenDrop' or 'LogThenRelay'"
    of_type(expected, bool, str)(value)
    if value not in (True, False, "Ignore", "LogThenDrop", "LogThenRelay"):
        raise _wrong_type(value, expected, "value")


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

    def check(value: Any) -> None:
        if not value and isinstance(value, list | Mapping):
            raise _wrong_type({}, "a sequence")
        list_of(item)(value)

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
    fields: Mapping[str, Check], required: Sequence[str], *, deny_unknown: bool, flattened: bool
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
    """The first variant that fits; serde does not report why the others do not."""

    def fits(variant: Check, value: Any) -> bool:
        try:
            variant(value)
        except Refused:
            return False
        return True

    def check(value: Any) -> None:
        if not any(fits(variant, value) for variant in variants):
            raise Refused(f"data did not match any variant of untagged enum {type_name}")

    return check
