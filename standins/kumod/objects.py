"""Objects, functions and methods that a policy can use, by its names for them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from standins.kumod.errors import KumoError


class LuaObject:
    """Base of everything that crosses into Lua as an object rather than as a value."""

    kind = "object"

    def field(self, name: str) -> Any:  # noqa: ARG002 - for those that have fields
        """The value of ``object.name`` in Lua; nil where there is none."""
        return None

    def __str__(self) -> str:
        return self.kind


class DataObject(LuaObject):
    """What a ``make_*`` function returns: its fields, with kumod's defaults."""

    def __init__(self, kind: str, data: Mapping[str, Any]) -> None:
        self.kind = kind
        self.data = dict(data)

    def field(self, name: str) -> Any:
        raise KumoError(f"{self.kind}.{name} is not in this stand-in for kumod")


class Held(LuaObject):
    """A Python value that the policy keeps and passes back to our methods."""

    def __init__(self, kind: str, value: Any) -> None:
        self.kind = kind
        self.value = value


FUNCTIONS: dict[str, Callable[..., Any]] = {}

F = TypeVar("F", bound=Callable[..., Any])


def api(name: str) -> Callable[[F], F]:
    """Register a function: called with the Lua context and the converted arguments."""

    def register(function: F) -> F:
        FUNCTIONS[name] = function
        return function

    return register


def method(kind: str, name: str) -> Callable[[F], F]:
    """Register a method: called with the Lua context, the object and the arguments."""
    return api(f"{kind}:{name}")
