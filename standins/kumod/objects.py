"""Python objects that a policy holds: each names its kind and answers for its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from standins.kumod.errors import KumoError


class LuaObject:
    """Base of everything that crosses into Lua as an object rather than as a value."""

    kind = "object"

    def field(self, name: str) -> Any:  # noqa: ARG002 - for those that have fields
        """The value of ``object.name`` in Lua; nil where there is none."""
        return None

    def pairs(self) -> Mapping[str, Any]:
        """What ``pairs(object)`` walks over."""
        raise KumoError(f"{self.kind} cannot be iterated")

    def __str__(self) -> str:
        return self.kind


class DataObject(LuaObject):
    """What a ``make_*`` function returns: its fields, with kumod's defaults."""

    def __init__(self, kind: str, data: Mapping[str, Any]) -> None:
        self.kind = kind
        self.data = dict(data)

    def field(self, name: str) -> Any:
        return self.data.get(name)

    def pairs(self) -> Mapping[str, Any]:
        return self.data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataObject) and self.kind == other.kind and self.data == other.data

    __hash__ = None  # type: ignore[assignment]


class LuaIterator(LuaObject):
    """A Python iterator as a Lua iterator function."""

    kind = "iterator"

    def __init__(self, function: str, target: object) -> None:
        self.function = function
        self.target = target
