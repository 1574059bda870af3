"""Rules of AWS that depend on what an account already has.

Each goes before one of moto's own methods and runs under the server's lock, so two updates side by
side cannot both take the last address.
"""

import inspect
from collections.abc import Callable
from typing import Any

Moto = Any
Asked = dict[str, Any]
"""The arguments of one of moto's methods by their names."""

Rule = Callable[[Moto, Asked], None]


class Rules:
    """The rules of a module, by the method that each goes before."""

    def __init__(self) -> None:
        self._rules: list[tuple[Moto, str, Rule]] = []

    def before(self, backend: Moto, name: str) -> Callable[[Rule], Rule]:
        """Registers a rule about that method of the backend."""

        def registered(rule: Rule) -> Rule:
            self._rules.append((backend, name, rule))
            return rule

        return registered

    def install(self) -> None:
        """Puts every rule before its method."""
        for backend, name, rule in self._rules:
            setattr(backend, name, _guarded(getattr(backend, name), rule))


def _guarded(method: Moto, rule: Rule) -> Moto:
    signature = inspect.signature(method)

    def guarded(self: Moto, *arguments: Moto, **named: Moto) -> Moto:
        asked = signature.bind(self, *arguments, **named).arguments
        rule(self, {**asked, **asked.get("kwargs", {})})
        return method(self, *arguments, **named)

    return guarded
