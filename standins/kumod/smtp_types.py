"""What passes between the engine and whoever carries mail to other servers."""

from __future__ import annotations

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
