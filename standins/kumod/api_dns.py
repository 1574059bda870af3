"""kumo.dns, by the engine's resolver."""

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
    found: list[str] = _resolve(ctx.engine.resolver.addresses, name)
    return found


@api("kumo.dns.lookup_txt")
def lookup_txt(ctx: LuaContext, name: str) -> list[str]:
    found: list[str] = _resolve(ctx.engine.resolver.txt, name)
    return found


@api("kumo.dns.lookup_ptr")
def lookup_ptr(ctx: LuaContext, address: str) -> list[str]:
    found: list[str] = _resolve(ctx.engine.resolver.ptr, address)
    return found


@api("kumo.dns.lookup_mx")
def lookup_mx(ctx: LuaContext, domain: str) -> Any:
    records = _resolve(ctx.engine.resolver.mx, domain)
    by_preference: dict[str, list[str]] = {}
    for preference, host in records:
        by_preference.setdefault(str(preference), []).append(f"{host}.")
    return {
        "domain_name": f"{domain}.",
        "hosts": [f"{host}." for _, host in records],
        "by_pref": by_preference,
        "site_name": ctx.engine.decisions.site_name([host for _, host in records]),
        "is_mx": True,
        "is_domain_literal": False,
        "is_secure": False,
    }


@api("kumo.dns.configure_resolver", "kumo.dns.configure_unbound_resolver",
     "kumo.dns.define_resolver", "kumo.dns.set_mx_timeout",
     "kumo.dns.set_mx_negative_cache_ttl")  # fmt: skip
def resolver_setting(_ctx: LuaContext, *_args: Any) -> None:
    """The stand-in asks the system's resolver."""


@api("kumo.dns.set_mta_sts_enabled")
def set_mta_sts_enabled(ctx: LuaContext, enabled: bool) -> None:
    ctx.engine.mta_sts = enabled
