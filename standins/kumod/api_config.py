"""kumo.configure_*, define_*, start_*, set_*, and kumo.dns."""

import os
from typing import Any

from standins.kumod.contract import contract, deserialize
from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import api
from standins.kumod.resolver import ResolveError


@api("kumo.define_spool")
def define_spool(ctx: LuaContext, params: Any) -> None:
    ctx.configuration.define_spool(deserialize("kumo.define_spool", params))


@api("kumo.configure_local_logs")
def configure_local_logs(ctx: LuaContext, params: Any) -> None:
    ctx.configuration.configure_local_logs(deserialize("kumo.configure_local_logs", params))


@api("kumo.configure_log_hook")
def configure_log_hook(ctx: LuaContext, params: Any) -> None:
    ctx.configuration.configure_log_hook(deserialize("kumo.configure_log_hook", params))


@api("kumo.start_http_listener")
def start_http_listener(ctx: LuaContext, params: Any) -> None:
    ctx.configuration.start_listener("http", deserialize("kumo.start_http_listener", params))


@api("kumo.start_esmtp_listener")
def start_esmtp_listener(ctx: LuaContext, params: Any) -> None:
    ctx.configuration.start_listener("esmtp", deserialize("kumo.start_esmtp_listener", params))


@api("proxy.start_http_listener")
def start_proxy_http_listener(ctx: LuaContext, params: Any) -> None:
    ctx.configuration.start_listener("http", deserialize("kumo.start_http_listener", params))


@api("proxy.start_proxy_listener")
def start_proxy_listener(ctx: LuaContext, params: Any) -> None:
    ctx.configuration.start_listener("proxy", deserialize("proxy.start_proxy_listener", params))


@api("kumo.configure_bounce_classifier")
def configure_bounce_classifier(ctx: LuaContext, params: Any) -> None:
    fields = deserialize("kumo.configure_bounce_classifier", params)
    ctx.configuration.classifier.load(fields["files"], ctx.facts.paths.real)


@api("kumo.configure_accounting_db_path")
def configure_accounting_db_path(_ctx: LuaContext, path: str) -> None:
    if not isinstance(path, str):
        raise KumoError("bad argument #1: error converting Lua value to String")


@api("kumo.set_lruttl_cache_capacity")
def set_lruttl_cache_capacity(_ctx: LuaContext, name: str, capacity: int) -> None:
    if name not in contract()["lruttl_caches"]:
        raise KumoError(
            f"could not set capacity for cache {name} "
            "as that is not a pre-defined lruttl cache name"
        )
    _count(capacity)


@api("kumo.dkim.set_signing_threads")
def ignored_number(_ctx: LuaContext, value: Any = None) -> None:
    """Accepted where it is a number; the stand-in has no such pools."""
    _count(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise KumoError("bad argument #1: error converting Lua value to usize")
    return int(value)


@api("kumo.set_config_monitor_globs")
def set_config_monitor_globs(ctx: LuaContext, globs: list[str]) -> None:
    ctx.configuration.monitored = tuple(globs)


@api("kumo.available_parallelism")
def available_parallelism(_ctx: LuaContext) -> int:
    return os.cpu_count() or 1


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
