"""Sessions of a ready queue: a custom Lua sender's object, or an SMTP connection."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.kumod.errors import KumoError, PolicyError
from sandbox.kumod.logs import Disposition, Response, new_session_id
from sandbox.kumod.message import Message, QueueName
from sandbox.kumod.resolver import ResolveError
from sandbox.kumod.smtp_types import ConnectPlan, Peer, SmtpConnectError, SmtpReply

if TYPE_CHECKING:
    from sandbox.kumod.engine import Kumod
    from sandbox.kumod.ready import ReadyQueue


class ConnectFailure(Exception):
    """No host took the connection: the messages at hand fail for now."""


class DeliverError(Exception):
    """The attempt broke: the messages at hand fail for now."""


@dataclass(kw_only=True)
class Final(Exception):
    """The whole ready queue gets this answer."""

    response: Response


class Session(Protocol):
    """What a ready queue needs of a session."""

    session_id: str

    def connect(self) -> None: ...

    def deliver(self, batch: list[Message]) -> None: ...

    def close(self) -> None: ...


@dataclass(kw_only=True)
class Context:
    """What every session knows of its queue."""

    engine: Kumod
    queue: ReadyQueue
    session_id: str = field(default_factory=new_session_id)

    def log(self, kind: str, message: Message, response: Response, **more: Any) -> None:
        queue = self.queue
        self.engine.log(
            Disposition(
                kind=kind,
                message=message,
                response=response,
                site=queue.name,
                egress_pool=queue.pool,
                egress_source=queue.source["name"],
                session_id=self.session_id,
                provider=queue.path.get("provider_name"),
                **more,
            )
        )

    def settle(self, message: Message, response: Response, **more: Any) -> None:
        """Log the peer's answer and do what it asks for."""
        engine = self.engine
        if response.code < 300:
            self.log("Delivery", message, response, **more)
            engine.delivered(message)
        elif response.code < 500 or response.code == 503:
            self.log("TransientFailure", message, response, **more)
            engine.requeue(message, response)
        else:
            self.log("Bounce", message, response, **more)
            engine.failed(message)


class LuaSession:
    """Drives the object that a custom_lua constructor returned."""

    def __init__(self, context: Context, settings: dict[str, Any], queue_name: str) -> None:
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
        self._lua = self._context.engine.pool.get()
        if not self._lua.has_handler(self._constructor):
            self._state = "closed"
            raise ConnectFailure(
                f"error converting Lua nil to function: {self._constructor} is not registered"
            )
        self._context.engine.counters[f"event:{self._constructor}"] += 1
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
                self._context.engine.requeue(message, response)
            else:
                self._context.log("Bounce", message, response, **self._more)
                self._context.engine.failed(message)
        if response.code == 421:
            self.close()

    def close(self) -> None:
        if self._state == "connected":
            try:
                if self._lua.has_method(self._sender, "close"):
                    self._lua.method(self._sender, "close")
            except PolicyError as error:
                self._context.engine.diagnose("ERROR", f"error while closing: {error.text}")
            self._context.engine.pool.put(self._lua)
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


class SmtpSession:
    """One connection to one of the destination's hosts, kept for several messages."""

    def __init__(self, context: Context, domain: str, mx_list: list[Any]) -> None:
        self._context = context
        self._domain = domain
        self._mx_list = mx_list
        self._peers: list[Peer] | None = None
        self._connection: Any = None
        self._peer: Peer | None = None
        self.batch_size = 1
        self.session_id = context.session_id

    def connect(self) -> None:
        if self._connection is not None:
            return
        if self._peers is None:
            self._peers = self._candidates()
        failures = []
        while self._peers:
            peer = self._peers.pop(0)
            try:
                self._connection = self._context.engine.smtp.connect(self._plan(peer))
            except SmtpConnectError as error:
                failures.append(str(error))
                continue
            self._peer = peer
            return
        raise ConnectFailure(", ".join(failures) or "no more addresses to try!")

    def _candidates(self) -> list[Peer]:
        path, resolver = self._context.queue.path, self._context.engine.resolver
        peers = []
        try:
            for name in self._hosts():
                if isinstance(name, dict):
                    peers.append(Peer(name=name["name"], address=name["addr"]))
                    continue
                peers += [Peer(name=name, address=a) for a in resolver.addresses(name)]
        except ResolveError as error:
            if not peers:
                raise ConnectFailure(str(error)) from None
        if not peers:
            raise Final(
                response=Response(
                    code=451, enhanced=(4, 4, 4), content="MX didn't resolve to any hosts"
                )
            )
        for peer in peers:
            if _within(peer.address, path["prohibited_hosts"]):
                raise Final(
                    response=Response(
                        code=550,
                        enhanced=(5, 4, 4),
                        content=f"{peer.name}/{peer.address} is on the list of prohibited_hosts "
                        f"{path['prohibited_hosts']}",
                    )
                )
        kept = [peer for peer in peers if not _within(peer.address, path["skip_hosts"])]
        if not kept:
            raise Final(
                response=Response(
                    code=550,
                    enhanced=(5, 4, 4),
                    content="MX consisted solely of hosts on the skip_hosts list",
                )
            )
        return kept

    def _hosts(self) -> list[Any]:
        if self._mx_list:
            return list(self._mx_list)
        hosts = [host for _, host in self._context.engine.resolver.mx(self._domain)]
        if hosts == ["."]:
            raise Final(
                response=Response(
                    code=556, enhanced=(5, 1, 10), content="Recipient address has a null MX"
                )
            )
        return hosts

    def _plan(self, peer: Peer) -> ConnectPlan:
        queue = self._context.queue
        ehlo = (
            queue.path.get("ehlo_domain") or queue.source.get("ehlo_domain") or socket.gethostname()
        )
        return ConnectPlan(
            peer=peer,
            port=int(queue.source.get("remote_port") or queue.path["smtp_port"]),
            domain=self._domain,
            source=queue.source,
            path=queue.path,
            ehlo=ehlo,
            socks5_credentials=self._credentials(queue.source),
        )

    def _credentials(self, source: dict[str, Any]) -> tuple[str, str] | None:
        if not source.get("socks5_proxy_username"):
            return None
        try:
            password = self._context.engine.load_key_source(source["socks5_proxy_password"])
        except (KumoError, KeyError) as error:
            raise ConnectFailure(f"socks5_proxy_password: {error}") from None
        return source["socks5_proxy_username"], password.decode().strip()

    def deliver(self, batch: list[Message]) -> None:
        (message,) = batch
        recipient = message.recipients[0].text
        try:
            reply: SmtpReply = self._connection.send(message.sender.text, recipient, message.data)
        except SmtpConnectError as error:
            self.close()
            raise DeliverError(str(error)) from None
        self._context.settle(message, _response(reply), **self._details())
        if not self._connection.usable:
            self.close()

    def _details(self) -> dict[str, Any]:
        peer = self._peer
        return {
            "peer": (peer.name, peer.address) if peer else None,
            "delivery_protocol": "ESMTP",
            "source_address": self._connection.source_address,
            "tls": self._connection.tls,
        }

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _response(reply: SmtpReply) -> Response:
    head, _, rest = reply.content.partition(" ")
    numbers = head.split(".")
    if len(numbers) == 3 and all(number.isdigit() for number in numbers):
        first, second, third = (int(number) for number in numbers)
        return Response(code=reply.code, enhanced=(first, second, third), content=rest,
                        command=reply.command)  # fmt: skip
    return Response(code=reply.code, content=reply.content, command=reply.command)


def _within(address: str, networks: list[str]) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)


class MaildirSession:
    """Writes each message into a folder."""

    def __init__(self, context: Context, folder: Path) -> None:
        self._context = context
        self._folder = folder
        self.batch_size = 1
        self.session_id = context.session_id

    def connect(self) -> None:
        for name in ("new", "cur", "tmp"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def deliver(self, batch: list[Message]) -> None:
        (message,) = batch
        partial = self._folder / "tmp" / message.id
        partial.write_bytes(message.data)
        partial.rename(self._folder / "new" / message.id)
        self._context.settle(
            message,
            Response(code=200, content=f"wrote to maildir with id={message.id}"),
            delivery_protocol="Maildir",
        )

    def close(self) -> None:
        """Nothing is open."""
