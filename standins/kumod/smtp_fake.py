"""Outbound SMTP for tests: a function stands for the other side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from standins.kumod.smtp_types import ConnectPlan, SmtpAttempt, SmtpConnectError, SmtpReply


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
