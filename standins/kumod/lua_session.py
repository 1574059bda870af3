"""A session that drives a custom Lua sender."""

from dataclasses import dataclass
from typing import Any

from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.logs import Response, address
from standins.kumod.lua import LuaContext
from standins.kumod.message import Message, QueueName
from standins.kumod.pool import ContextPool
from standins.kumod.sessions import BaseSession, ConnectFailure, DeliverError
from standins.kumod.values import is_table


@dataclass(kw_only=True)
class LuaSession(BaseSession):
    protocol = "Lua"
    pool: ContextPool

    def __post_init__(self) -> None:
        super().__post_init__()
        self._constructor = self.queue.sender["constructor"]
        self.batch_size = int(self.queue.sender.get("batch_size", 1))
        self._lua: LuaContext | None = None
        self._sender: Any = None
        self._peer = address(f"Lua via {self._constructor}", "0.0.0.0")  # noqa: S104 - what kumod logs
        self._closed = False

    def connect(self) -> None:
        if self._lua is not None:
            return
        if self._closed:
            raise ConnectFailure("only one connection attempt per session")
        lua = self.pool.get()
        if not lua.has_handler(self._constructor):
            self._closed = True
            raise ConnectFailure(
                f"error converting Lua nil to function: {self._constructor} is not registered"
            )
        parts = QueueName.parse(self.queue.queue_name)
        try:
            self._sender = lua.call_raw(
                self._constructor, parts.domain, parts.tenant, parts.campaign
            )
        except PolicyError as error:
            raise ConnectFailure(error.text) from None
        self._lua = lua

    def deliver(self, batch: list[Message]) -> None:
        method, argument = ("send", batch[0]) if self.batch_size == 1 else ("send_batch", batch)
        settle = self.settle
        try:
            response = Response(code=200, content=self._send(method, argument))
        except (PolicyError, KumoError) as error:
            if not isinstance(error, PolicyError) or error.kind != "reject":
                self.close()
                text = error.text if isinstance(error, PolicyError) else error
                raise DeliverError(f"sender:{method} method failed: {text}") from None
            response = Response(code=error.code or 400, content=error.message)
            # Whatever is no 4xx ends the message, 250 too.
            settle = self.settle if 400 <= response.code < 500 else self.bounce
        for message in batch:
            settle(message, response, peer_address=self._peer)
        if response.code == 421:
            self.close()

    def _send(self, method: str, argument: Any) -> str:
        if self._lua is None or not is_table(self._sender):
            raise KumoError("invalid connection object")
        answer = self._lua.method(self._sender, method, argument)
        if isinstance(answer, bool) or not isinstance(answer, str | int | float):
            name = {type(None): "nil", bool: "boolean"}.get(type(answer), "table")
            raise KumoError(f"error converting Lua {name} to String (expected string or number)")
        return str(answer)

    def close(self) -> None:
        lua, self._lua = self._lua, None
        self._closed = True
        if lua is not None:
            try:
                if lua.has_method(self._sender, "close"):
                    lua.method(self._sender, "close")
            except PolicyError as error:
                self.facts.diagnose("ERROR", f"error while closing: {error.text}")
            self.pool.put(lua)
