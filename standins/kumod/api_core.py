"""kumo.*: configuration, registration, messages and the server's own switches."""

from typing import Any

from standins.kumod import decisions
from standins.kumod.contract import completed, deserialize
from standins.kumod.errors import KumoError, RejectError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.lua import LuaContext, Results
from standins.kumod.message import Message, QueueName
from standins.kumod.objects import DataObject, LuaObject, api

VERSION = "2026.09.29-b90d8bc1"

# Plumbing of the prelude ----------------------------------------------------


@api("index")
def index(_ctx: LuaContext, target: LuaObject, key: Any) -> Any:
    return target.field(str(key))


@api("pairs")
def pairs(_ctx: LuaContext, target: LuaObject) -> Any:
    return dict(target.pairs())


@api("tostring")
def to_string(_ctx: LuaContext, target: LuaObject) -> str:
    return str(target)


@api("len")
def length(_ctx: LuaContext, target: LuaObject) -> int:
    return len(list(target.pairs()))


@api("registered")
def registered(_ctx: LuaContext, _name: str) -> None:
    """Counted by the dispatcher."""


@api("print")
def print_line(ctx: LuaContext, text: str) -> None:
    ctx.facts.print_line(text)


@api("getenv")
def getenv(ctx: LuaContext, name: str) -> str | None:
    return ctx.facts.env.get(name)


@api("now")
def now(ctx: LuaContext) -> int:
    return int(ctx.facts.clock.now())


@api("map_path")
def map_path(ctx: LuaContext, path: Any) -> Any:
    return str(ctx.facts.paths.real(path)) if isinstance(path, str) else path


# make_* ---------------------------------------------------------------------


@api("kumo.make_egress_source")
def make_egress_source(_ctx: LuaContext, params: Any) -> DataObject:
    fields = deserialize("kumo.make_egress_source", params)
    return DataObject("EgressSource", completed("kumo.make_egress_source", fields))


@api("kumo.make_egress_pool")
def make_egress_pool(_ctx: LuaContext, params: Any) -> DataObject:
    fields = deserialize("kumo.make_egress_pool", params)
    fields["entries"] = [{"weight": 1, **entry} for entry in fields.get("entries") or []]
    return DataObject("EgressPool", completed("kumo.make_egress_pool", fields))


@api("kumo.make_egress_path")
def make_egress_path(_ctx: LuaContext, params: Any) -> DataObject:
    fields = deserialize("kumo.make_egress_path", params)
    for name in ("prohibited_hosts", "skip_hosts"):
        if fields.get(name) == {}:
            fields[name] = []
    return DataObject("EgressPathConfig", completed("kumo.make_egress_path", fields))


@api("kumo.make_queue_config")
def make_queue_config(_ctx: LuaContext, params: Any) -> DataObject:
    fields = deserialize("kumo.make_queue_config", params)
    return DataObject("QueueConfig", completed("kumo.make_queue_config", fields))


@api("kumo.make_listener_domain")
def make_listener_domain(_ctx: LuaContext, params: Any) -> DataObject:
    fields = deserialize("kumo.make_listener_domain", params)
    for name in ("log_oob", "log_arf"):
        if isinstance(fields.get(name), bool):
            fields[name] = "LogThenRelay" if fields[name] else "Ignore"
    return DataObject("EsmtpDomain", completed("kumo.make_listener_domain", fields))


@api("kumo.make_message")
def make_message(
    ctx: LuaContext, sender: str, recipient: Any, body: str, headers: Any = None
) -> Message:
    recipients = recipient if isinstance(recipient, list) else [recipient]
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    text = f"{lines}\r\n{body}" if lines else body
    return Message(
        sender=EnvelopeAddress.parse(sender),
        recipients=[EnvelopeAddress.parse(str(entry)) for entry in recipients],
        data=text.encode("utf-8", "surrogateescape"),
        created=ctx.facts.clock.now(),
    )


@api("kumo.inject_message")
def inject_message(ctx: LuaContext, message: Message) -> None:
    ctx.configuration.accept(message)


# Flow -------------------------------------------------------------------------


@api("kumo.reject")
def reject(_ctx: LuaContext, code: Any, message: Any = None, disconnect: Any = None) -> None:
    if isinstance(code, bool) or not isinstance(code, int | float) or code != int(code):
        raise KumoError("bad argument #1: error converting Lua value to u16")
    if not isinstance(message, str | int | float) or isinstance(message, bool):
        raise KumoError("bad argument #2: error converting Lua value to String")
    raise RejectError(int(code), str(message), disconnect)


@api("kumo.validation_failed")
def validation_failed(ctx: LuaContext) -> None:
    ctx.configuration.validation_failed = True


for _level in ("error", "warn"):

    @api(f"kumo.log_{_level}")
    def _log(ctx: LuaContext, *parts: Any, level: str = _level) -> None:
        ctx.facts.diagnose(level.upper(), " ".join(str(part) for part in parts))


# The policy's own decisions, from validate_config ------------------------------


@api("kumo.invoke_get_queue_config")
def invoke_get_queue_config(ctx: LuaContext, queue_name: str, *_ignored: Any) -> Any:
    """Takes the queue's name alone; kumod drops further arguments."""
    name = QueueName.parse(queue_name)
    config = decisions.queue_config(
        ctx, name.domain, name.tenant, name.campaign, name.routing_domain
    )
    return dict(config.data)


@api("kumo.invoke_get_egress_path_config")
def invoke_get_egress_path_config(ctx: LuaContext, domain: str, source: str, site_name: str) -> Any:
    return dict(decisions.egress_path(ctx, domain, source, site_name).data)


# Memoize ------------------------------------------------------------------------


@api("memoize.new")
def memoize_new(ctx: LuaContext, options: Any) -> Any:
    fields = deserialize("kumo.memoize (second argument)", options)
    return ctx.configuration.memo.cache(fields)


@api("memoize.lookup")
def memoize_lookup(ctx: LuaContext, cache: Any, *args: Any) -> Results:
    facts = ctx.facts
    hit, key, entry_version = cache.lookup(args, now=facts.now(), epoch=facts.epoch)
    ctx.facts.counters[f"memoize.{'hit' if hit else 'miss'}:{cache.name}"] += 1
    return Results((hit, key, entry_version))


@api("memoize.value")
def memoize_value(_ctx: LuaContext, cache: Any, key: str) -> Any:
    return cache.value(key)


@api("memoize.store")
def memoize_store(ctx: LuaContext, cache: Any, key: str, value: Any) -> int:
    stored: int = cache.store(key, value, now=ctx.facts.clock.now(), epoch=ctx.facts.epoch)
    return stored
