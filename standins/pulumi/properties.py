"""Pulumi's wire form of property values, to and from plain Python values.

Plain values are None, bool, int, float, str, list and dict, plus two marks: `UNKNOWN` (a value that
a preview cannot know) and `Secret`. The engine sends no other special value to a provider that
says it accepts secrets alone, but assets, which the program has none of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import struct_pb2

Value = Any
Properties = dict[str, Value]

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type's mark

# One sentinel per kind of value that is not known yet; the engine sends any of them.
_UNKNOWN_SENTINELS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
_UNKNOWN_SENTINEL: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that must stay encrypted in state and hidden in output."""

    value: Value = field(repr=False)


def decode(struct: struct_pb2.Struct) -> Properties:
    """The properties of a request, with their marks."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(properties: Mapping[str, Value]) -> struct_pb2.Struct:
    """The wire form of properties with their marks."""
    return struct_pb2.Struct(fields={key: _encode(value) for key, value in properties.items()})


def reveal(value: Value) -> Value:
    """The value without the marks of secrecy, at every depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def has_secret(value: Value) -> bool:
    """Whether the value contains a secret."""
    return isinstance(value, Secret) or any(has_secret(item) for item in _children(value))


def has_unknown(value: Value) -> bool:
    """Whether anything in the value is unknown."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    return value is UNKNOWN or any(has_unknown(item) for item in _children(value))


def conceal(properties: Mapping[str, Value], names: Iterable[str]) -> Properties:
    """The properties with those of the given names marked as secrets."""
    secrets = set(names)
    return {
        key: Secret(reveal(value)) if key in secrets else value for key, value in properties.items()
    }


def _children(value: Value) -> Iterable[Value]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _decode(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWN_SENTINELS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = decode(value.struct_value)
        signature = fields.get(SIGNATURE)
        if signature not in (None, SECRET):
            raise ValueError(f"property value with the unknown signature {signature}")
        return Secret(fields["value"]) if signature else fields
    return None


def _encode(value: Value) -> struct_pb2.Value:
    match value:
        case None:
            fields: dict[str, Any] = {"null_value": struct_pb2.NULL_VALUE}
        case _Unknown():
            fields = {"string_value": _UNKNOWN_SENTINEL}
        case bool():
            fields = {"bool_value": value}
        case int() | float():
            fields = {"number_value": value}
        case str():
            fields = {"string_value": value}
        case Secret():
            fields = {"struct_value": encode({SIGNATURE: SECRET, "value": value.value})}
        case dict():
            fields = {"struct_value": encode(value)}
        case list() | tuple():
            items = [_encode(item) for item in value]
            fields = {"list_value": struct_pb2.ListValue(values=items)}
        case _:
            raise TypeError(f"a {type(value).__name__} has no form as a property value")
    return struct_pb2.Value(**fields)
