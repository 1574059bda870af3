"""A session that drives a custom Lua sender."""

from typing import Any

from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.logs import Response
from standins.kumod.message import Message, QueueName
from standins.kumod.pool import ContextPool
from standins.kumod.sessions import ConnectFailure, Context, DeliverError


class LuaSession:
    """Drives the object that a custom_lua constructor returned."""

    def __init__(
        self, context: Context, pool: ContextPool, settings: dict[str, Any], queue_name: str
    ) -> None:
        self._pool = pool
        self._context = context
        self._constructor = settings["constructor"]
        self.batch_size = int(settings.get("batch_size", 1))
        self._queue_name = queue_name
        self._lua: Any = None
        self._sender: Any = None
        self._state = "new"
        self.session_id = context.session_id

    @property
    def _more(self) -> dict[str, Any]:
        return {
            "delivery_protocol": "Lua",
            "peer": (f"Lua via {self._constructor}", "0.0.0.0"),  # noqa: S104 - what kumod logs
        }

    def connect(self) -> None:
        if self._state == "connected":
            return
        if self._state == "closed":
            raise ConnectFailure("only one connection attempt per session")
        parts = QueueName.parse(self._queue_name)
        self._lua = self._pool.get()
        if not self._lua.has_handler(self._constructor):
            self._state = "closed"
            raise ConnectFailure(
                f"error converting Lua nil to function: {self._constructor} is not registered"
            )
        self._context.facts.counters[f"event:{self._constructor}"] += 1
        try:
            self._sender = self._lua.call_raw(
                self._constructor, parts.domain, parts.tenant, parts.campaign
            )
        except PolicyError as error:
            raise ConnectFailure(error.text) from None
        self._state = "connected"

    def deliver(self, batch: list[Message]) -> None:
        method = "send_batch" if self.batch_size > 1 else "send"
        try:
            argument: Any = list(batch) if self.batch_size > 1 else batch[0]
            text = _answer_text(self._send(method, argument))
        except PolicyError as error:
            if error.kind != "reject" or error.code is None:
                self.close()
                raise DeliverError(f"sender:{method} method failed: {error.text}") from None
            self._reject(batch, error)
            return
        except KumoError as error:
            self.close()
            raise DeliverError(f"sender:{method} method failed: {error}") from None
        for message in batch:
            self._context.settle(message, Response(code=200, content=text), **self._more)

    def _send(self, method: str, argument: Any) -> Any:
        if not self._lua.is_table(self._sender):
            raise KumoError("invalid connection object")
        return self._lua.convert.to_python(self._lua.method(self._sender, method, argument))

    def _reject(self, batch: list[Message], error: PolicyError) -> None:
        response = Response(code=error.code or 400, content=error.message)
        for message in batch:
            if 400 <= response.code < 500:
                self._context.log("TransientFailure", message, response, **self._more)
                self._context.outcomes.requeue(message, response)
            else:
                self._context.log("Bounce", message, response, **self._more)
                self._context.outcomes.failed(message)
        if response.code == 421:
            self.close()

    def close(self) -> None:
        if self._state == "connected":
            try:
                if self._lua.has_method(self._sender, "close"):
                    self._lua.method(self._sender, "close")
            except PolicyError as error:
                self._context.facts.diagnose("ERROR", f"error while closing: {error.text}")
            self._pool.put(self._lua)
            self._lua = self._sender = None
        self._state = "closed"


def _answer_text(result: Any) -> str:
    if isinstance(result, bytes):
        return result.decode("utf-8", "replace")
    if isinstance(result, str):
        return result
    if isinstance(result, bool) or not isinstance(result, int | float):
        name = "nil" if result is None else "boolean" if isinstance(result, bool) else "table"
        raise KumoError(f"error converting Lua {name} to String (expected string or number)")
    return str(result)
