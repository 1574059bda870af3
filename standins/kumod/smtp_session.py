"""A session with a mail server of the destination."""

import ipaddress
import socket
from typing import Any

from standins.kumod.errors import KumoError
from standins.kumod.logs import Response
from standins.kumod.message import Message
from standins.kumod.resolver import ResolveError, mail_hosts
from standins.kumod.sessions import ConnectFailure, Context, DeliverError, Final
from standins.kumod.smtp_types import ConnectPlan, Peer, SmtpConnectError, SmtpReply


class SmtpSession:
    """One connection to one of the destination's hosts, kept for several messages."""

    def __init__(self, context: Context, smtp: Any, domain: str, mx_list: list[Any]) -> None:
        self._context = context
        self._smtp = smtp
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
                self._connection = self._smtp.connect(self._plan(peer))
            except SmtpConnectError as error:
                failures.append(str(error))
                continue
            self._peer = peer
            return
        raise ConnectFailure(", ".join(failures) or "no more addresses to try!")

    def _candidates(self) -> list[Peer]:
        path, resolver = self._context.queue.path, self._context.facts.resolver
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
                    code=451,
                    enhanced=(4, 4, 4),
                    content="KumoMTA internal: MX consisted solely of hosts on the skip_hosts list",
                )
            )
        return kept

    def _hosts(self) -> list[Any]:
        if self._mx_list:
            return list(self._mx_list)
        hosts = mail_hosts(self._context.facts.resolver, self._domain)
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
            password = self._context.facts.load_key_source(source["socks5_proxy_password"])
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
