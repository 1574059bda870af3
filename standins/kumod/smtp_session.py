"""A session with a mail server of the destination."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Any

from standins.kumod.errors import KumoError
from standins.kumod.logs import Response, address
from standins.kumod.message import Message, QueueName
from standins.kumod.resolver import ResolveError, mail_hosts
from standins.kumod.sessions import BaseSession, ConnectFailure, DeliverError, Final
from standins.kumod.smtp_types import (
    Connect,
    Connection,
    ConnectPlan,
    Peer,
    SmtpConnectError,
    SmtpReply,
)


@dataclass(kw_only=True)
class SmtpSession(BaseSession):
    """One connection to one of the destination's hosts, kept for several messages."""

    protocol = "ESMTP"
    open: Connect

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = QueueName.parse(self.queue.queue_name)
        self._domain = parts.routing_domain or parts.domain
        self._peers: list[Peer] | None = None
        self._connection: Connection | None = None
        self._peer: Peer | None = None

    def connect(self) -> None:
        if self._connection is not None:
            return
        if self._peers is None:
            self._peers = self._candidates()
        failures = []
        while self._peers and self._connection is None:
            self._peer = self._peers.pop(0)
            try:
                self._connection = self.open(self._plan(self._peer))
            except SmtpConnectError as error:
                failures.append(str(error))
        if self._connection is None:
            raise ConnectFailure(", ".join(failures) or "no more addresses to try!")

    def _candidates(self) -> list[Peer]:
        path = self.queue.path
        peers: list[Peer] = []
        try:
            for host in self._hosts():
                if isinstance(host, dict):
                    peers.append(Peer(host["name"], host["addr"]))
                else:
                    peers += [Peer(host, a) for a in self.facts.resolver.addresses(host)]
        except ResolveError as error:
            if not peers:
                raise ConnectFailure(str(error)) from None
        if not peers:
            raise Final(451, (4, 4, 4), "MX didn't resolve to any hosts")
        prohibited = path["prohibited_hosts"]
        for peer in peers:
            if _within(peer.address, prohibited):
                listed = f"is on the list of prohibited_hosts {prohibited}"
                raise Final(550, (5, 4, 4), f"{peer.name}/{peer.address} {listed}")
        kept = [peer for peer in peers if not _within(peer.address, path["skip_hosts"])]
        if not kept:
            text = "KumoMTA internal: MX consisted solely of hosts on the skip_hosts list"
            raise Final(451, (4, 4, 4), text)
        return kept

    def _hosts(self) -> list[Any]:
        listed = (self.queue.protocol.get("smtp") or {}).get("mx_list")
        hosts = listed or mail_hosts(self.facts.resolver, self._domain)
        if hosts == ["."]:
            raise Final(556, (5, 1, 10), "Recipient address has a null MX")
        return list(hosts)

    def _plan(self, peer: Peer) -> ConnectPlan:
        source, path = self.queue.source, self.queue.path
        return ConnectPlan(
            peer=peer,
            port=int(source.get("remote_port") or path["smtp_port"]),
            domain=self._domain,
            source=source,
            path=path,
            ehlo=path.get("ehlo_domain") or source.get("ehlo_domain") or socket.gethostname(),
            socks5_credentials=self._credentials(source),
        )

    def _credentials(self, source: dict[str, Any]) -> tuple[str, str] | None:
        if not source.get("socks5_proxy_username"):
            return None
        try:
            password = self.facts.load_key_source(source["socks5_proxy_password"])
        except (KumoError, KeyError) as error:
            raise ConnectFailure(f"socks5_proxy_password: {error}") from None
        return source["socks5_proxy_username"], password.decode().strip()

    def deliver(self, batch: list[Message]) -> None:
        connection = self._connection
        assert connection is not None and self._peer is not None  # noqa: S101 - it is connected
        for message in batch:
            sender, recipient = message.sender.text, message.recipients[0].text
            try:
                reply = connection.send(sender, recipient, message.data)
            except SmtpConnectError as error:
                self.close()
                raise DeliverError(str(error)) from None
            self.settle(
                message,
                _response(reply),
                peer_address=address(*self._peer),
                source_address=connection.source_address,
                **(connection.tls or {}),
            )
        if not connection.usable:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _response(reply: SmtpReply) -> Response:
    """kumod removes the enhanced status from the text."""
    match = re.match(r"(\d+)\.(\d+)\.(\d+)(?: |$)", reply.content)
    enhanced = (int(match[1]), int(match[2]), int(match[3])) if match else None
    content = reply.content[match.end() :] if match else reply.content
    return Response(code=reply.code, enhanced=enhanced, content=content)


def _within(address: str, networks: list[str]) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)
