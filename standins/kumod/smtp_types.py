"""What passes between the engine and whoever carries mail to other servers; in tests a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class SmtpAttempt:
    """One message on its way to one host, as a test's peer sees it."""

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


@dataclass(frozen=True, kw_only=True)
class SmtpReply:
    """A peer's answer to a message."""

    code: int
    content: str
    command: str | None = "."


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A host to try."""

    name: str
    address: str


class SmtpConnectError(Exception):
    """No usable session with this host."""


@dataclass(frozen=True, kw_only=True)
class ConnectPlan:
    """All that a connection needs to know."""

    peer: Peer
    port: int
    domain: str
    source: dict[str, Any]
    path: dict[str, Any]
    ehlo: str
    socks5_credentials: tuple[str, str] | None = None


def accept_everything(_attempt: SmtpAttempt) -> SmtpReply:
    """The peer of a test that does not care."""
    return SmtpReply(code=250, content="ok")


class FunctionSmtp:
    """Calls the function for each message. An OSError from it is a connection that broke."""

    def __init__(self, peer: Callable[[SmtpAttempt], SmtpReply] | None) -> None:
        self._peer = peer or accept_everything
        self.attempts: list[SmtpAttempt] = []
        self.connections: list[ConnectPlan] = []

    def connect(self, plan: ConnectPlan) -> _FunctionConnection:
        self.connections.append(plan)
        return _FunctionConnection(self, plan)

    def send(self, attempt: SmtpAttempt) -> SmtpReply:
        self.attempts.append(attempt)
        return self._peer(attempt)


class _FunctionConnection:
    def __init__(self, owner: FunctionSmtp, plan: ConnectPlan) -> None:
        self._owner = owner
        self._plan = plan
        self.usable = True
        self.tls: dict[str, Any] | None = None
        self.source_address = _source_address(plan)

    def send(self, sender: str, recipient: str, data: bytes) -> SmtpReply:
        plan = self._plan
        attempt = SmtpAttempt(
            domain=plan.domain,
            mx_host=plan.peer.name,
            address=plan.peer.address,
            port=plan.port,
            source=plan.source["name"],
            ehlo=plan.ehlo,
            socks5_server=_proxy(plan),
            source_address=plan.source.get("socks5_proxy_source_address")
            or plan.source.get("source_address"),
            tls=plan.path["enable_tls"],
            sender=sender,
            recipient=recipient,
            data=data,
        )
        try:
            return self._owner.send(attempt)
        except OSError as error:
            raise SmtpConnectError(f"connect to {plan.peer.name}: {error}") from None

    def close(self) -> None:
        """Nothing is open."""


def _proxy(plan: ConnectPlan) -> str | None:
    """As kumod: a proxy without a source address to use there is no proxy."""
    if not plan.source.get("socks5_proxy_source_address"):
        return None
    server: str | None = plan.source.get("socks5_proxy_server")
    return server


def _source_address(plan: ConnectPlan) -> dict[str, Any]:
    proxy = _proxy(plan)
    address = plan.source.get("socks5_proxy_source_address") or plan.source.get("source_address")
    found: dict[str, Any] = {"address": f"{address or '192.0.2.10'}:0"}
    if proxy:
        found |= {"server": proxy, "protocol": "socks5"}
    return found
