"""The functions and methods that exist, by the names that a policy uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

FUNCTIONS: dict[str, Callable[..., Any]] = {}
METHODS: defaultdict[str, set[str]] = defaultdict(set)

F = TypeVar("F", bound=Callable[..., Any])


def api(*names: str) -> Callable[[F], F]:
    """Register a function: called with the Lua context and the converted arguments."""

    def register(function: F) -> F:
        for name in names:
            FUNCTIONS[name] = function
        return function

    return register


def method(kind: str, *names: str) -> Callable[[F], F]:
    """Register a method: called with the Lua context, the object and the arguments."""

    def register(function: F) -> F:
        for name in names:
            FUNCTIONS[f"{kind}:{name}"] = function
            METHODS[kind].add(name)
        return function

    return register
