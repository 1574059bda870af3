"""kumo.dns, by the host's resolver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from standins.kumod.errors import KumoError
from standins.kumod.registry import api
from standins.kumod.resolver import ResolveError

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


def _resolve(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except ResolveError as error:
        raise KumoError(str(error)) from None


@api("kumo.dns.lookup_addr")
def lookup_addr(ctx: LuaContext, name: str) -> list[str]:
    found: list[str] = _resolve(ctx.facts.resolver.addresses, name)
    return found


@api("kumo.dns.set_mta_sts_enabled")
def set_mta_sts_enabled(ctx: LuaContext, enabled: bool) -> None:
    ctx.configuration.mta_sts = enabled
