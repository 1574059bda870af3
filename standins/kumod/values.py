"""Values between Lua and Python.

Lua strings are bytes. The runtime speaks Latin-1, which maps each byte to one character and back;
text is UTF-8 on both sides of it, with undecodable bytes kept as surrogates.
"""

from collections.abc import Mapping
from typing import Any

from standins.kumod.objects import LuaObject


def encode_text(text: str) -> str:
    """Python text as the runtime's string."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def decode_text(text: str) -> str:
    """The runtime's string as Python text."""
    if text.isascii():
        return text
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def raw_bytes(text: str) -> bytes:
    """The bytes of decoded text."""
    return text.encode("utf-8", "surrogateescape")


class Converter:
    """Converts values for one Lua runtime."""

    def __init__(self, runtime: Any, host: Any) -> None:
        self._runtime = runtime
        self._host = host
        self._items = host["items"]
        self._unwrap = host["unwrap"]
        self._new = host["new"]
        self.converted = 0

    def to_lua(self, value: Any) -> Any:  # noqa: PLR0911 - one line for each type
        """A Python value as Lua sees it; JSON null is nil."""
        self.converted += 1
        match value:
            case None | bool() | float() | bytes():
                return value
            case int():
                return value if -(2**63) <= value < 2**63 else float(value)
            case str():
                return encode_text(value)
            case Mapping():
                return self._table_from_mapping(value)
            case list() | tuple():
                return self._table_from_list(value)
            case LuaObject():
                return self._new(value.kind, value)
        return value

    def _table_from_mapping(self, value: Mapping[Any, Any]) -> Any:
        if _plain(value):
            self.converted += len(value)
            return self._runtime.table_from(value, recursive=True)
        table = self._runtime.table()
        for key, element in value.items():
            converted = self.to_lua(element)
            if converted is not None:
                table[self.to_lua(key)] = converted
        return table

    def _table_from_list(self, value: list[Any] | tuple[Any, ...]) -> Any:
        table = self._runtime.table()
        for index, element in enumerate(value, 1):
            converted = self.to_lua(element)
            if converted is not None:
                table[index] = converted
        return self._host["mark_array"](table)

    def to_python(self, value: Any) -> Any:
        """A Lua value as JSON-like Python data; objects as themselves; functions untouched."""
        if value is None or isinstance(value, bool | int | float | bytes):
            return value
        if isinstance(value, str):
            return decode_text(value)
        if isinstance(value, LuaObject):
            return value
        wrapped = self._unwrap(value)
        if wrapped is not None:
            return self._from_table(wrapped) if _is_table(wrapped) else wrapped
        if _is_table(value):
            return self._from_table(value)
        return value

    def _from_table(self, table: Any) -> Any:
        count, keys, values = self._items(table)
        if count == 0:
            return [] if self._host["is_array"](table) else {}
        pairs = [(keys[i], values[i]) for i in range(1, count + 1)]
        numbers = {key for key, _ in pairs if isinstance(key, int) and not isinstance(key, bool)}
        if len(numbers) == count and numbers == set(range(1, count + 1)):
            ordered = sorted(pairs, key=lambda pair: pair[0])
            return [self.to_python(element) for _, element in ordered]
        return {_key(self.to_python(key)): self.to_python(element) for key, element in pairs}


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key)


def _is_table(value: object) -> bool:
    return type(value).__name__ == "_LuaTable"


def is_function(value: object) -> bool:
    """Whether a Lua value can be called."""
    return type(value).__name__ == "_LuaFunction"


def _plain(value: Any) -> bool:
    """Whether lupa's own recursive conversion gives the same result, only faster."""
    match value:
        case bool() | int() | float():
            return not isinstance(value, int) or -(2**63) <= value < 2**63
        case str():
            return value.isascii()
        case dict():
            return all(_plain(key) and _plain(element) for key, element in value.items())
    return False
