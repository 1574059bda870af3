"""What the policy decides about queues, pools, sources and paths.

Each function calls a decision event and insists on the right kind of answer.
"""

from typing import Any

from standins.kumod.contract import completed
from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import DataObject
from standins.kumod.resolver import ResolveError, Resolver, mail_hosts

_UNSPECIFIED_SOURCE = completed("kumo.make_egress_source", {"name": "unspecified"})
_UNSPECIFIED_POOL = completed(
    "kumo.make_egress_pool",
    {"name": "unspecified", "entries": [{"name": "unspecified", "weight": 1}]},
)


def _typed(answer: Any, kind: str, event: str) -> DataObject:
    if isinstance(answer, DataObject) and answer.kind == kind:
        return answer
    found = answer.kind if isinstance(answer, DataObject) else _lua_type(answer)
    raise KumoError(
        f"{event}: error converting Lua {found} to {kind} (expected userdata of type '{kind}')"
    )


def queue_config(
    ctx: LuaContext, domain: str, tenant: Any, campaign: Any, routing: Any
) -> DataObject:
    answer = ctx.call("get_queue_config", domain, tenant, campaign, routing)
    if answer is None:
        return DataObject("QueueConfig", completed("kumo.make_queue_config"))
    return _typed(answer, "QueueConfig", "get_queue_config")


def egress_pool(ctx: LuaContext, name: str | None) -> DataObject:
    if name is None or name == "unspecified":
        return DataObject("EgressPool", _UNSPECIFIED_POOL)
    _need(ctx, "get_egress_pool")
    return _typed(ctx.call("get_egress_pool", name), "EgressPool", "get_egress_pool")


def egress_source(ctx: LuaContext, name: str) -> DataObject:
    if name == "unspecified":
        return DataObject("EgressSource", _UNSPECIFIED_SOURCE)
    _need(ctx, "get_egress_source")
    return _typed(ctx.call("get_egress_source", name), "EgressSource", "get_egress_source")


def egress_path(ctx: LuaContext, domain: str, source: str, site: str) -> DataObject:
    if not ctx.has_handler("get_egress_path_config"):
        return DataObject("EgressPathConfig", completed("kumo.make_egress_path"))
    answer = ctx.call("get_egress_path_config", domain, source, site)
    return _typed(answer, "EgressPathConfig", "get_egress_path_config")


def _need(ctx: LuaContext, event: str) -> None:
    if not ctx.has_handler(event):
        raise KumoError(f"Event {event} has not been registered")


def site_name(hosts: list[str]) -> str:
    """One name for a set of mail servers, so that domains which share them share a queue."""
    if not hosts:
        return ""
    if len(hosts) == 1:
        return hosts[0]
    tails = [host.partition(".") for host in hosts]
    if all(tail[2] == tails[0][2] for tail in tails):
        labels = sorted({tail[0] for tail in tails})
        return f"({'|'.join(labels)}).{tails[0][2]}"
    return f"({'|'.join(sorted(hosts))})"


def site_of_domain(resolver: Resolver, domain: str) -> str:
    """The site name of a domain's mail servers."""
    return site_name(mail_hosts(resolver, domain))


def site_for_queue(resolver: Resolver, routing_domain: str, protocol: dict[str, Any]) -> str:
    """The site part of a ready queue's name."""
    if "custom_lua" in protocol or "maildir_path" in protocol:
        return routing_domain
    mx_list = (protocol.get("smtp") or {}).get("mx_list") or []
    if mx_list:
        names = [entry if isinstance(entry, str) else entry["name"] for entry in mx_list]
        return f"mx_list:{','.join(names)}"
    try:
        return site_of_domain(resolver, routing_domain)
    except ResolveError as error:
        raise KumoError(str(error)) from None


def _lua_type(value: Any) -> str:
    match value:
        case None:
            return "nil"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
    return "table"
