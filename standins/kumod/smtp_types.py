"""The interface to what delivers mail to other servers; in tests a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, kw_only=True)
class SmtpReply:
    code: int
    content: str


class Peer(NamedTuple):
    name: str
    address: str


class SmtpConnectError(Exception):
    """No usable session with this host."""


@dataclass(frozen=True, kw_only=True)
class ConnectPlan:
    peer: Peer
    port: int
    domain: str
    source: dict[str, Any]
    path: dict[str, Any]
    ehlo: str
    socks5_credentials: tuple[str, str] | None = None

    @property
    def proxy(self) -> str | None:
        """As kumod: a proxy without a source address is ignored."""
        has_address = self.source.get("socks5_proxy_source_address")
        return self.source.get("socks5_proxy_server") if has_address else None


class Connection(Protocol):
    usable: bool
    tls: dict[str, Any] | None
    source_address: dict[str, Any]

    def send(self, sender: str, recipient: str, data: bytes) -> SmtpReply: ...

    def close(self) -> None: ...


#: Opens a session with a mail server.
Connect = Callable[[ConnectPlan], Connection]


@dataclass(frozen=True, kw_only=True)
class SmtpAttempt:
    """One message for one host, as a test's peer sees it."""

    domain: str
    mx_host: str
    address: str
    port: int
    source: str
    ehlo: str
    socks5_server: str | None
    source_address: str | None
    tls: str
    sender: str
    recipient: str
    data: bytes


class FunctionSmtp:
    """Calls the function for each message. An OSError is a broken connection."""

    def __init__(self, peer: Callable[[SmtpAttempt], SmtpReply] | None = None) -> None:
        self.peer = peer or (lambda _attempt: SmtpReply(code=250, content="ok"))
        self.attempts: list[SmtpAttempt] = []
        self.connections: list[ConnectPlan] = []

    def connect(self, plan: ConnectPlan) -> _FunctionConnection:
        self.connections.append(plan)
        return _FunctionConnection(self, plan)


class _FunctionConnection:
    usable = True
    tls: dict[str, Any] | None = None

    def __init__(self, owner: FunctionSmtp, plan: ConnectPlan) -> None:
        self._owner = owner
        self._plan = plan
        source = plan.source
        self._address = source.get("socks5_proxy_source_address") or source.get("source_address")
        self.source_address: dict[str, Any] = {"address": f"{self._address or '192.0.2.10'}:0"}
        if plan.proxy:
            self.source_address |= {"server": plan.proxy, "protocol": "socks5"}

    def send(self, sender: str, recipient: str, data: bytes) -> SmtpReply:
        plan = self._plan
        attempt = SmtpAttempt(
            domain=plan.domain,
            mx_host=plan.peer.name,
            address=plan.peer.address,
            port=plan.port,
            source=plan.source["name"],
            ehlo=plan.ehlo,
            socks5_server=plan.proxy,
            source_address=self._address,
            tls=plan.path["enable_tls"],
            sender=sender,
            recipient=recipient,
            data=data,
        )
        self._owner.attempts.append(attempt)
        try:
            return self._owner.peer(attempt)
        except OSError as error:
            raise SmtpConnectError(f"connect to {plan.peer.name}: {error}") from None

    def close(self) -> None:
        """Nothing to close."""
