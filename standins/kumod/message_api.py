"""The methods that a policy calls on a message."""

from collections.abc import Callable
from typing import Any

from standins.kumod.contract import deserialize_with, named_type
from standins.kumod.errors import KumoError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.lua import LuaContext
from standins.kumod.message import Message
from standins.kumod.objects import LuaObject, api, method

#: Methods that need nothing but the message.
_PLAIN: dict[str, Callable[..., Any]] = {
    "from_header": lambda message: message.address_header("From"),
    "get_all_headers": Message.headers,
    "get_all_named_header_values": Message.header_values,
    "get_data": lambda message: message.data,
    "get_first_named_header_value": Message.first_header,
    "get_meta": lambda message, name: message.meta.get(name),
    "id": lambda message: message.id,
    "num_attempts": lambda message: message.num_attempts,
    "prepend_header": Message.prepend_header,
    "recipient": lambda message: message.recipient,
    "remove_all_named_headers": Message.remove_headers,
    "sender": lambda message: message.sender,
    "to_header": lambda message: message.address_header("To"),
}
for _name, _function in _PLAIN.items():

    @method("Message", _name)
    def _plain(
        _ctx: LuaContext, message: Message, *args: Any, function: Callable[..., Any] = _function
    ) -> Any:
        return function(message, *args)


@method("Message", "set_sender")
def set_sender(_ctx: LuaContext, message: Message, address: Any) -> None:
    if not isinstance(address, str | EnvelopeAddress):
        raise KumoError("error converting Lua value to EnvelopeAddress (expected string)")
    message.sender = EnvelopeAddress.parse(str(address))


@method("Message", "set_meta")
def set_meta(_ctx: LuaContext, message: Message, name: str, value: Any = None) -> None:
    if not isinstance(name, str):
        raise KumoError("bad argument #2: error converting Lua value to String")
    message.meta[name] = str(value) if isinstance(value, LuaObject) else value


@method("Message", "set_data")
def set_data(_ctx: LuaContext, message: Message, data: str) -> None:
    message.data = data.encode("utf-8", "surrogateescape")


@method("Message", "dkim_sign")
def dkim_sign(ctx: LuaContext, message: Message, signer: Any) -> None:
    if getattr(signer, "kind", None) != "Signer":
        raise KumoError("bad argument #2: error converting Lua value to Signer")
    ctx.facts.counters["dkim.signature"] += 1
    signature = signer.signature_header(message.data, ctx.facts.now())
    message.prepend_header("DKIM-Signature", signature)


@api("kumo.apply_supplemental_trace_header")
def apply_supplemental_trace_header(_ctx: LuaContext, message: Message, params: Any = None) -> None:
    message.apply_trace(deserialize_with(named_type("trace headers"), params or {}))
