"""Outbound SMTP over real sockets: directly or through SOCKS5, with STARTTLS where offered."""

from __future__ import annotations

import re
import socket
import ssl
from collections import Counter
from typing import Any

from standins.kumod.durations import parse_duration
from standins.kumod.smtp_types import ConnectPlan, SmtpConnectError, SmtpReply
from standins.kumod.socks import SocksError, open_through

_LINE_LIMIT = 65_536


class SocketSmtp:
    """Connects to mail servers."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters

    def connect(self, plan: ConnectPlan) -> SmtpConnection:
        try:
            return SmtpConnection(plan, *self._open(plan))
        except (OSError, SocksError, ssl.SSLError) as error:
            where = f"{plan.peer.name}/{plan.peer.address} port {plan.port}"
            raise SmtpConnectError(f"connect to {where} and read initial banner: {error}") from None

    def _open(self, plan: ConnectPlan) -> tuple[socket.socket, dict[str, Any]]:
        target = (plan.peer.address, plan.port)
        timeout = _seconds(plan, "connect_timeout")
        proxy = plan.source.get("socks5_proxy_server")
        if not plan.source.get("socks5_proxy_source_address"):
            # As kumod: a proxy without a source address to use there is no proxy.
            proxy = None
        bind = plan.source.get("source_address")
        if proxy is None:
            try:
                stream = socket.create_connection(target, timeout, (bind, 0) if bind else None)
            except OSError as error:
                if bind:
                    self._counters["bind_failures"] += 1
                raise OSError(f"failed to connect: {error}") from None
            return stream, {"address": "{}:{}".format(*stream.getsockname()[:2])}
        host, _, port = proxy.rpartition(":")
        try:
            stream = socket.create_connection((host, int(port)), timeout)
        except OSError as error:
            self._counters["proxy_connection_failures"] += 1
            raise OSError(f"failed to connect to proxy {proxy}: {error}") from None
        try:
            used = open_through(
                stream,
                target,
                source=plan.source.get("socks5_proxy_source_address"),
                credentials=plan.socks5_credentials,
            )
        except (OSError, SocksError):
            stream.close()
            raise
        address = {"address": "{}:{}".format(*used), "server": proxy, "protocol": "socks5"}
        return stream, address


def _seconds(plan: ConnectPlan, name: str) -> float:
    return parse_duration(plan.path[name]) or 60.0


class SmtpConnection:
    """One session with a mail server."""

    def __init__(
        self, plan: ConnectPlan, stream: socket.socket, source_address: dict[str, Any]
    ) -> None:
        self._plan = plan
        self._stream = stream
        self._buffer = b""
        self._sent = 0
        self.source_address = source_address
        self.tls: dict[str, Any] | None = None
        self.usable = True
        self._extensions: set[str] = set()
        try:
            self._greet()
        except (OSError, ssl.SSLError):
            stream.close()
            raise

    # Session ----------------------------------------------------------------

    def _greet(self) -> None:
        banner = self._read("banner_timeout")
        if banner.code != 220:
            raise OSError(f"banner: {banner.code} {banner.content}")
        self._ehlo()
        self._start_tls()

    def _ehlo(self) -> None:
        answer = self._command(f"EHLO {self._plan.ehlo}", "ehlo_timeout")
        if answer.code != 250:
            answer = self._command(f"HELO {self._plan.ehlo}", "ehlo_timeout")
            if answer.code != 250:
                raise OSError(f"EHLO: {answer.code} {answer.content}")
        self._extensions = {
            line.split(" ")[0].upper() for line in answer.content.split("\n")[1:] if line
        }

    def _start_tls(self) -> None:
        wanted = self._plan.path["enable_tls"]
        offered = "STARTTLS" in self._extensions
        if wanted == "Disabled" or (not offered and wanted.startswith("Opportunistic")):
            return
        if not offered:
            raise OSError(f"tls policy is {wanted} but STARTTLS is not advertised")
        answer = self._command("STARTTLS", "starttls_timeout")
        if answer.code != 220:
            if wanted.startswith("Opportunistic"):
                return
            raise OSError(f"STARTTLS: {answer.code} {answer.content}")
        context = ssl.create_default_context()
        if wanted.endswith("Insecure"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        wrapped = context.wrap_socket(self._stream, server_hostname=self._plan.peer.name)
        self._stream = wrapped
        cipher = wrapped.cipher()
        self.tls = {
            "tls_cipher": cipher[0] if cipher else "",
            "tls_protocol_version": wrapped.version() or "",
            "tls_peer_subject_name": [],
        }
        self._ehlo()

    # Messages -----------------------------------------------------------------

    def send(self, sender: str, recipient: str, data: bytes) -> SmtpReply:
        """One message: the answer that decided its fate."""
        try:
            return self._transaction(sender, recipient, data)
        except (OSError, ssl.SSLError) as error:
            self.usable = False
            peer = self._plan.peer
            raise SmtpConnectError(f"{peer.name}/{peer.address}: {error}") from None

    def _transaction(self, sender: str, recipient: str, data: bytes) -> SmtpReply:
        if self._sent:
            self._command("RSET", "rset_timeout")
        self._sent += 1
        if self._sent >= int(self._plan.path["max_deliveries_per_connection"]):
            self.usable = False
        size = f" SIZE={len(data)}" if "SIZE" in self._extensions else ""
        eight_bit = " BODY=8BITMIME" if "8BITMIME" in self._extensions else ""
        for command, timeout, good in (
            (f"MAIL FROM:<{sender}>{size}{eight_bit}", "mail_from_timeout", 250),
            (f"RCPT TO:<{recipient}>", "rcpt_to_timeout", 250),
            ("DATA", "data_timeout", 354),
        ):
            answer = self._command(command, timeout)
            if answer.code // 100 != good // 100:
                if answer.code == 421:
                    self.usable = False
                return answer
        body = data if data.endswith(b"\r\n") else data + b"\r\n"
        self._stream.sendall(re.sub(rb"(?m)^\.", b"..", body) + b".\r\n")
        answer = self._read("data_dot_timeout")
        if answer.code == 421:
            self.usable = False
        return SmtpReply(code=answer.code, content=answer.content.replace("\n", " "), command=".")

    def _command(self, line: str, timeout: str) -> SmtpReply:
        self._stream.settimeout(_seconds(self._plan, timeout))
        self._stream.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")
        answer = self._read(timeout)
        verb = line.split(" SIZE=", maxsplit=1)[0].split(" BODY=", maxsplit=1)[0]
        content = answer.content if line.startswith("EHLO") else answer.content.replace("\n", " ")
        return SmtpReply(code=answer.code, content=content, command=verb)

    def _read(self, timeout: str) -> SmtpReply:
        self._stream.settimeout(_seconds(self._plan, timeout))
        lines = []
        while True:
            line = self._line()
            code, separator, text = line[:3], line[3:4], line[4:]
            if not code.isdigit():
                raise OSError(f"malformed response: {line!r}")
            lines.append(text)
            if separator != "-":
                return SmtpReply(code=int(code), content="\n".join(lines), command=None)

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LINE_LIMIT:
                raise OSError("response line too long")
            chunk = self._stream.recv(4096)
            if not chunk:
                raise OSError("the peer closed the connection")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def close(self) -> None:
        try:
            self._stream.settimeout(2)
            self._stream.sendall(b"QUIT\r\n")
        except (OSError, ssl.SSLError):
            pass
        self._stream.close()
