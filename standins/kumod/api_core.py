"""kumo.*: messages, switches of the server, and what the prelude calls."""

from collections.abc import Callable
from typing import Any

from standins.kumod import decisions
from standins.kumod.contract import deserialize
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.lua import LuaContext
from standins.kumod.memo import Cache
from standins.kumod.message import Message, QueueName
from standins.kumod.objects import api

VERSION = "2026.09.29-b90d8bc1"

_PLUMBING: dict[str, Callable[..., Any]] = {
    "index": lambda _ctx, target, key: target.field(str(key)),
    "tostring": lambda _ctx, target: str(target),
    "print": lambda ctx, text: ctx.facts.print_line(text),
    "getenv": lambda ctx, name: ctx.facts.env.get(name),
}
for _name, _function in _PLUMBING.items():
    api(_name)(_function)


@api("kumo.make_message")
def make_message(ctx: LuaContext, sender: str, recipient: str, body: str) -> Message:
    return Message(
        sender=EnvelopeAddress.parse(sender),
        recipients=[EnvelopeAddress.parse(recipient)],
        data=body.encode("utf-8", "surrogateescape"),
        created=ctx.facts.now(),
    )


@api("kumo.inject_message")
def inject_message(ctx: LuaContext, message: Message) -> None:
    ctx.configuration.accept(message)


@api("kumo.reject")
def reject(_ctx: LuaContext, code: Any, message: Any = None) -> None:
    if isinstance(code, bool) or not isinstance(code, int | float) or code != int(code):
        raise KumoError("bad argument #1: error converting Lua value to u16")
    if not isinstance(message, str | int | float) or isinstance(message, bool):
        raise KumoError("bad argument #2: error converting Lua value to String")
    raise PolicyError("reject", str(message), code=int(code))


@api("kumo.validation_failed")
def validation_failed(ctx: LuaContext) -> None:
    ctx.configuration.validation_failed = True


for _level in ("error", "warn"):

    @api(f"kumo.log_{_level}")
    def _log(ctx: LuaContext, *parts: Any, level: str = _level) -> None:
        ctx.facts.diagnose(level.upper(), " ".join(str(part) for part in parts))


@api("kumo.invoke_get_queue_config")
def invoke_get_queue_config(ctx: LuaContext, queue_name: str, *_ignored: Any) -> Any:
    """Takes only the queue's name; kumod ignores further arguments."""
    return dict(decisions.queue_config(ctx, QueueName.parse(queue_name)).data)


@api("kumo.invoke_get_egress_path_config")
def invoke_get_egress_path_config(ctx: LuaContext, domain: str, source: str, site_name: str) -> Any:
    return dict(decisions.egress_path(ctx, domain, source, site_name).data)


@api("memoize.new")
def memoize_new(ctx: LuaContext, options: Any) -> Cache:
    fields = deserialize("kumo.memoize (second argument)", options)
    return ctx.configuration.memo.setdefault(fields["name"], Cache(ctx.facts, fields))


@api("memoize.lookup")
def memoize_lookup(ctx: LuaContext, cache: Cache, *args: Any) -> dict[str, Any]:
    found = cache.lookup(args)
    ctx.facts.counters[f"memoize.{'hit' if 'version' in found else 'miss'}:{cache.name}"] += 1
    return found


@api("memoize.value")
def memoize_value(_ctx: LuaContext, cache: Cache, key: str) -> Any:
    return cache.value(key)


@api("memoize.store")
def memoize_store(_ctx: LuaContext, cache: Cache, key: str, value: Any) -> int:
    return cache.store(key, value)
