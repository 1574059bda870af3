"""kumo.configure_*, define_*, make_*, start_*, set_*, and kumo.dns."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from standins.kumod.configuration import Configuration
from standins.kumod.contract import completed, contract, deserialize
from standins.kumod.durations import parse_throttle
from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import DataObject, Held, api, method

_LISTENER = Configuration.start_listener
#: Functions that hand a table to the configuration.
_CONFIGURING: dict[str, Callable[[Configuration, dict[str, Any]], None]] = {
    "kumo.define_spool": Configuration.define_spool,
    "kumo.configure_local_logs": Configuration.configure_local_logs,
    "kumo.configure_log_hook": Configuration.configure_log_hook,
    "kumo.configure_bounce_classifier": Configuration.configure_bounce_classifier,
    "kumo.start_http_listener": partial(_LISTENER, kind="http"),
    "kumo.start_esmtp_listener": partial(_LISTENER, kind="esmtp"),
    "proxy.start_http_listener": partial(_LISTENER, kind="http"),
    "proxy.start_proxy_listener": partial(_LISTENER, kind="proxy"),
}
for _name, _configure in _CONFIGURING.items():
    # KumoProxy's HTTP listener takes what kumod's takes.
    _table = "kumo.start_http_listener" if "http" in _name else _name

    @api(_name)
    def _configured(
        ctx: LuaContext, params: Any, *, table: str = _table, configure: Any = _configure
    ) -> None:
        configure(ctx.configuration, deserialize(table, params))


#: Functions that make a table into an object, with kumod's defaults.
_MADE = {
    "kumo.make_egress_source": "EgressSource",
    "kumo.make_egress_pool": "EgressPool",
    "kumo.make_egress_path": "EgressPathConfig",
    "kumo.make_queue_config": "QueueConfig",
    "kumo.make_listener_domain": "EsmtpDomain",
}
for _name, _kind in _MADE.items():

    @api(_name)
    def _made(_ctx: LuaContext, params: Any, *, name: str = _name, kind: str = _kind) -> DataObject:
        fields = completed(name, deserialize(name, params))
        for field, value in fields.items():
            if field == "entries":
                fields[field] = [{"weight": 1, **entry} for entry in value or ()]
            elif field in ("prohibited_hosts", "skip_hosts"):
                fields[field] = list(value)
            elif field in ("log_oob", "log_arf") and isinstance(value, bool):
                fields[field] = "LogThenRelay" if value else "Ignore"
        return DataObject(kind, fields)


@api("kumo.configure_accounting_db_path")
def configure_accounting_db_path(_ctx: LuaContext, _path: str) -> None:
    """The stand-in keeps no accounts."""


@api("kumo.set_lruttl_cache_capacity")
def set_lruttl_cache_capacity(_ctx: LuaContext, name: str, capacity: int) -> None:
    if name not in contract()["lruttl_caches"]:
        raise KumoError(
            f"could not set capacity for cache {name} "
            "as that is not a pre-defined lruttl cache name"
        )
    set_signing_threads(_ctx, capacity)


@api("kumo.dkim.set_signing_threads")
def set_signing_threads(_ctx: LuaContext, value: Any = None) -> None:
    """Accepts a number; the stand-in has no such pools."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise KumoError("bad argument #1: error converting Lua value to usize")


@api("kumo.set_config_monitor_globs")
def set_config_monitor_globs(ctx: LuaContext, globs: list[str]) -> None:
    ctx.configuration.monitored = tuple(globs)


@api("kumo.available_parallelism")
def available_parallelism(_ctx: LuaContext) -> int:
    return os.cpu_count() or 1


@api("kumo.dns.lookup_addr")
def lookup_addr(ctx: LuaContext, name: str) -> list[str]:
    return ctx.facts.resolver.addresses(name)


@api("kumo.dns.set_mta_sts_enabled")
def set_mta_sts_enabled(ctx: LuaContext, enabled: bool) -> None:
    ctx.configuration.mta_sts = enabled


@api("kumo.make_throttle")
def make_throttle(_ctx: LuaContext, name: str, spec: str) -> Held:
    """Throttles of one name share a count."""
    try:
        return Held("Throttle", (f"lua:{name}", parse_throttle(spec)))
    except ValueError as error:
        raise KumoError(str(error)) from None


@method("Throttle", "throttle")
def throttle(ctx: LuaContext, held: Held) -> dict[str, Any]:
    name, rate = held.value
    delay = ctx.facts.throttles.delay(name, rate, ctx.facts.now())
    return {"throttled": delay > 0, "limit": rate.limit, "retry_after": delay or None}
