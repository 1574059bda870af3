"""Values between Lua and Python.

Lua strings are bytes. The runtime speaks Latin-1, which maps each byte to one character and back;
text is UTF-8 on both sides of it, with undecodable bytes kept as surrogates.
"""

from collections.abc import Mapping
from typing import Any

import lupa.lua54 as lupa

from standins.kumod.objects import LuaObject


def encode_text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def decode_text(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


class Converter:
    def __init__(self, runtime: Any, host: Any) -> None:
        self._table = runtime.table_from
        self._host = host

    def to_lua(self, value: Any) -> Any:
        """A Python value for Lua; JSON null is nil."""
        match value:
            case str():
                return encode_text(value)
            case int() if not -(2**63) <= value < 2**63:
                return float(value)
            case Mapping():
                items = ((self.to_lua(k), self.to_lua(element)) for k, element in value.items())
                return self._table({k: element for k, element in items if element is not None})
            case list() | tuple():
                return self._table([self.to_lua(element) for element in value])
            case LuaObject():
                return self._host.new(value.kind, value)
        return value

    def to_python(self, value: Any) -> Any:
        """A Lua value as JSON-like Python data; objects as themselves; functions untouched."""
        if isinstance(value, str):
            return decode_text(value)
        if not is_table(value):
            return value
        wrapped = self._host.unwrap(value)
        if wrapped is not None and not is_table(wrapped):
            return wrapped
        return self._from_table(value if wrapped is None else wrapped)

    def _from_table(self, table: Any) -> Any:
        pairs = {key: self.to_python(element) for key, element in table.items()}
        if pairs and set(pairs) == set(range(1, len(pairs) + 1)):
            return [pairs[i] for i in range(1, len(pairs) + 1)]
        return {str(self.to_python(key)): element for key, element in pairs.items()}


def is_table(value: object) -> bool:
    return bool(lupa.lua_type(value) == "table")
