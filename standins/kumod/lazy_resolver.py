"""The host's resolver, loaded when the first name is asked: most commands ask none."""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import cast

from standins.kumod.resolver import Resolver


class LazyResolver:
    """Stands before ``SystemResolver``, whose imports take longer than a short command."""

    @cached_property
    def _resolver(self) -> Resolver:
        module = importlib.import_module("standins.kumod.system_resolver")
        return cast("Resolver", module.SystemResolver())

    def mx(self, domain: str) -> list[tuple[int, str]]:
        return self._resolver.mx(domain)

    def addresses(self, host: str) -> list[str]:
        return self._resolver.addresses(host)

    def txt(self, name: str) -> list[str]:
        return self._resolver.txt(name)
