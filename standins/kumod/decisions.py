"""What the policy decides about queues, pools, sources and paths.

Each function calls a decision event and insists on the right kind of answer.
"""

from typing import Any

from standins.kumod.contract import completed
from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.message import QueueName
from standins.kumod.objects import DataObject
from standins.kumod.resolver import Resolver, mail_hosts

_LUA_TYPES = {type(None): "nil", bool: "boolean", int: "number", float: "number", str: "string"}


def _default(kind: str, table: str, **fields: Any) -> DataObject:
    return DataObject(kind, completed(table, fields))


_SOURCE = _default("EgressSource", "kumo.make_egress_source", name="unspecified")
_POOL = _default(
    "EgressPool",
    "kumo.make_egress_pool",
    name="unspecified",
    entries=[{"name": "unspecified", "weight": 1}],
)
_PATH = _default("EgressPathConfig", "kumo.make_egress_path")
_QUEUE = _default("QueueConfig", "kumo.make_queue_config")


def _typed(answer: Any, kind: str, event: str) -> DataObject:
    if isinstance(answer, DataObject) and answer.kind == kind:
        return answer
    found = answer.kind if isinstance(answer, DataObject) else _LUA_TYPES.get(type(answer), "table")
    raise KumoError(
        f"{event}: error converting Lua {found} to {kind} (expected userdata of type '{kind}')"
    )


def _ask(ctx: LuaContext, event: str, kind: str, *args: Any) -> DataObject:
    if not ctx.has_handler(event):
        raise KumoError(f"Event {event} has not been registered")
    return _typed(ctx.call(event, *args), kind, event)


def queue_config(ctx: LuaContext, queue: QueueName) -> DataObject:
    parts = (queue.domain, queue.tenant, queue.campaign, queue.routing_domain)
    answer = ctx.call("get_queue_config", *parts)
    return _QUEUE if answer is None else _typed(answer, "QueueConfig", "get_queue_config")


def egress_pool(ctx: LuaContext, name: str | None) -> DataObject:
    if name is None or name == "unspecified":
        return _POOL
    return _ask(ctx, "get_egress_pool", "EgressPool", name)


def egress_source(ctx: LuaContext, name: str) -> DataObject:
    if name == "unspecified":
        return _SOURCE
    return _ask(ctx, "get_egress_source", "EgressSource", name)


def egress_path(ctx: LuaContext, domain: str, source: str, site: str) -> DataObject:
    if not ctx.has_handler("get_egress_path_config"):
        return _PATH
    return _ask(ctx, "get_egress_path_config", "EgressPathConfig", domain, source, site)


def site_of_domain(resolver: Resolver, domain: str) -> str:
    """One name for a domain's mail servers: domains that share them share a queue."""
    hosts = mail_hosts(resolver, domain)
    labels = sorted({host.partition(".")[0] for host in hosts})
    parents = {host.partition(".")[2] for host in hosts}
    if len(hosts) < 2:
        return "".join(hosts)
    if len(parents) == 1:
        return f"({'|'.join(labels)}).{parents.pop()}"
    return f"({'|'.join(sorted(hosts))})"


def site_for_queue(resolver: Resolver, routing_domain: str, protocol: dict[str, Any]) -> str:
    """The site part of a ready queue's name."""
    if "custom_lua" in protocol or "maildir_path" in protocol:
        return routing_domain
    mx_list = (protocol.get("smtp") or {}).get("mx_list") or []
    if mx_list:
        names = [entry if isinstance(entry, str) else entry["name"] for entry in mx_list]
        return f"mx_list:{','.join(names)}"
    return site_of_domain(resolver, routing_domain)
