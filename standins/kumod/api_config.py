"""kumo.configure_*, define_*, start_* and set_*."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from standins.kumod import defaults
from standins.kumod.contract import deserialize
from standins.kumod.errors import KumoError
from standins.kumod.registry import api

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext

from standins.kumod.api_core import VERSION


@api("kumo.define_spool")
def define_spool(ctx: LuaContext, params: Any) -> None:
    ctx.engine.define_spool(deserialize("kumo.define_spool", params))


@api("kumo.configure_local_logs")
def configure_local_logs(ctx: LuaContext, params: Any) -> None:
    ctx.engine.configure_local_logs(deserialize("kumo.configure_local_logs", params))


@api("kumo.configure_log_hook")
def configure_log_hook(ctx: LuaContext, params: Any) -> None:
    ctx.engine.configure_log_hook(deserialize("kumo.configure_log_hook", params))


@api("kumo.start_http_listener")
def start_http_listener(ctx: LuaContext, params: Any) -> None:
    ctx.engine.start_listener("http", deserialize("kumo.start_http_listener", params))


@api("kumo.start_esmtp_listener")
def start_esmtp_listener(ctx: LuaContext, params: Any) -> None:
    ctx.engine.start_listener("esmtp", deserialize("kumo.start_esmtp_listener", params))


@api("proxy.start_http_listener")
def start_proxy_http_listener(ctx: LuaContext, params: Any) -> None:
    ctx.engine.start_listener("http", deserialize("kumo.start_http_listener", params))


@api("proxy.start_proxy_listener")
def start_proxy_listener(ctx: LuaContext, params: Any) -> None:
    ctx.engine.start_listener("proxy", deserialize("proxy.start_proxy_listener", params))


@api("kumo.configure_bounce_classifier")
def configure_bounce_classifier(ctx: LuaContext, params: Any) -> None:
    fields = deserialize("kumo.configure_bounce_classifier", params)
    ctx.engine.classifier.load(fields["files"], ctx.engine.paths.real)


@api("kumo.configure_accounting_db_path")
def configure_accounting_db_path(_ctx: LuaContext, path: str) -> None:
    if not isinstance(path, str):
        raise KumoError("bad argument #1: error converting Lua value to String")


@api("kumo.configure_redis_throttles")
def configure_redis_throttles(_ctx: LuaContext, params: Any) -> None:
    deserialize("kumo.configure_redis_throttles", params)
    raise KumoError("redis is not in this stand-in for kumod")


@api("kumo.set_lruttl_cache_capacity")
def set_lruttl_cache_capacity(_ctx: LuaContext, name: str, capacity: int) -> None:
    if name not in defaults.LRUTTL_CACHES:
        raise KumoError(
            f"could not set capacity for cache {name} "
            "as that is not a pre-defined lruttl cache name"
        )
    _count(capacity)


@api(
    "kumo.set_httpinject_recipient_rate_limit",
    "kumo.set_diagnostic_log_filter",
)
def ignored_setting(_ctx: LuaContext, _value: Any = None) -> None:
    """Accepted; nothing in the stand-in depends on it."""


@api(
    "kumo.set_httpinject_threads",
    "kumo.set_logging_threads",
    "kumo.set_memory_hard_limit",
    "kumo.set_memory_low_thresh",
    "kumo.set_memory_soft_limit",
    "kumo.set_qmaint_threads",
    "kumo.set_ready_qmaint_threads",
    "kumo.set_readyq_threads",
    "kumo.set_smtpsrv_threads",
    "kumo.set_spoolin_threads",
    "kumo.dkim.set_signing_threads",
    "kumo.dns.set_mx_concurrency_limit",
)
def ignored_number(_ctx: LuaContext, value: Any = None) -> None:
    """Accepted where it is a number; the stand-in has no such pools."""
    _count(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise KumoError("bad argument #1: error converting Lua value to usize")
    return int(value)


@api("kumo.set_max_lua_context_age")
def set_max_lua_context_age(ctx: LuaContext, value: int) -> None:
    ctx.engine.pool.max_age = float(_count(value))


@api("kumo.set_max_lua_context_use_count")
def set_max_lua_context_use_count(ctx: LuaContext, value: int) -> None:
    ctx.engine.pool.max_uses = _count(value)


@api("kumo.set_max_spare_lua_contexts")
def set_max_spare_lua_contexts(ctx: LuaContext, value: int) -> None:
    ctx.engine.pool.max_spare = _count(value)


@api("kumo.set_config_monitor_globs")
def set_config_monitor_globs(ctx: LuaContext, globs: list[str]) -> None:
    ctx.engine.monitor.globs = tuple(globs)


@api("kumo.eval_config_monitor_globs")
def eval_config_monitor_globs(ctx: LuaContext) -> list[str]:
    return ctx.engine.monitor.files()


@api("kumo.bump_config_epoch")
def bump_config_epoch(ctx: LuaContext) -> None:
    ctx.engine.bump_epoch()


@api("kumo.available_parallelism")
def available_parallelism(_ctx: LuaContext) -> int:
    return os.cpu_count() or 1


@api("kumo.get_memory_hard_limit", "kumo.get_memory_low_thresh", "kumo.get_memory_soft_limit")
def memory_limit(_ctx: LuaContext) -> int:
    return 2**33


@api("kumo.version")
def version(_ctx: LuaContext) -> str:
    return VERSION
