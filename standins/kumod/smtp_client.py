"""Outbound SMTP over real sockets: directly or through SOCKS5, with STARTTLS if offered."""

import contextlib
import smtplib
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from typing import Any

from standins.kumod.durations import seconds
from standins.kumod.smtp_types import ConnectPlan, SmtpConnectError, SmtpReply
from standins.kumod.socks import SocksError, open_through


class SocketSmtp:
    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters

    def connect(self, plan: ConnectPlan) -> "SmtpConnection":
        try:
            return SmtpConnection(plan, *self._open(plan))
        except (OSError, SocksError) as error:
            where = f"{plan.peer.name}/{plan.peer.address} port {plan.port}"
            raise SmtpConnectError(f"connect to {where} and read initial banner: {error}") from None

    def _open(self, plan: ConnectPlan) -> tuple[socket.socket, dict[str, Any]]:
        target = (plan.peer.address, plan.port)
        timeout = seconds(plan.path, "connect_timeout", 60.0)
        if plan.proxy is None:
            bind = plan.source.get("source_address")
            with self._counted("bind_failures", "failed to connect"):
                stream = socket.create_connection(target, timeout, (bind, 0) if bind else None)
            return stream, {"address": "{}:{}".format(*stream.getsockname()[:2])}
        host, _, port = plan.proxy.rpartition(":")
        with self._counted("proxy_connection_failures", f"failed to connect to proxy {plan.proxy}"):
            stream = socket.create_connection((host, int(port)), timeout)
        try:
            source = plan.source["socks5_proxy_source_address"]
            used = open_through(stream, target, source=source, credentials=plan.socks5_credentials)
        except (OSError, SocksError):
            stream.close()
            raise
        address = {"address": "{}:{}".format(*used), "server": plan.proxy, "protocol": "socks5"}
        return stream, address

    @contextlib.contextmanager
    def _counted(self, counter: str, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._counters[counter] += 1
            raise OSError(f"{what}: {error}") from None


class _Smtp(smtplib.SMTP):
    """smtplib over an existing connection; each step has its own time-out."""

    def __init__(self, plan: ConnectPlan, stream: socket.socket) -> None:
        self._plan = plan
        self._stream = stream
        self.wait("banner")
        super().__init__(plan.peer.name, plan.port, local_hostname=plan.ehlo)
        self.command_encoding = "utf-8"

    def _get_socket(self, *_address: Any) -> socket.socket:
        return self._stream

    def wait(self, step: str) -> None:
        """The next read may take as long as the path allows."""
        stream = getattr(self, "sock", None) or self._stream
        stream.settimeout(seconds(self._plan.path, f"{step}_timeout", 60.0))


class SmtpConnection:
    def __init__(
        self, plan: ConnectPlan, stream: socket.socket, source_address: dict[str, Any]
    ) -> None:
        self._plan = plan
        self._sent = 0
        self.source_address = source_address
        self.tls: dict[str, Any] | None = None
        self.usable = True
        try:
            self._smtp = _Smtp(plan, stream)
            self._ehlo()
            self._start_tls()
        except OSError as error:
            stream.close()
            if isinstance(error, smtplib.SMTPResponseException):
                raise OSError(f"{error.smtp_code} {_text(error.smtp_error)}") from None
            raise

    def _ehlo(self) -> None:
        self._smtp.wait("ehlo")
        if self._smtp.ehlo()[0] != 250:
            code, text = self._smtp.helo()
            if code != 250:
                raise OSError(f"EHLO: {code} {_text(text)}")

    def _start_tls(self) -> None:
        wanted = self._plan.path["enable_tls"]
        offered = self._smtp.has_extn("starttls")
        optional = wanted.startswith("Opportunistic")
        if wanted == "Disabled" or (not offered and optional):
            return
        if not offered:
            raise OSError(f"tls policy is {wanted} but STARTTLS is not advertised")
        context = ssl.create_default_context()
        if wanted.endswith("Insecure"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._smtp.wait("starttls")
        try:
            self._smtp.starttls(context=context)
        except smtplib.SMTPResponseException:
            if optional:
                return
            raise
        stream = self._smtp.sock
        assert isinstance(stream, ssl.SSLSocket)  # noqa: S101 - what starttls makes of it
        cipher = stream.cipher()
        self.tls = {
            "tls_cipher": cipher[0] if cipher else "",
            "tls_protocol_version": stream.version() or "",
            "tls_peer_subject_name": [],
        }
        self._ehlo()

    def send(self, sender: str, recipient: str, data: bytes) -> SmtpReply:
        """One message: the answer that decided its fate."""
        try:
            reply = self._transaction(sender, recipient, data)
        except OSError as error:
            self.usable = False
            peer = self._plan.peer
            raise SmtpConnectError(f"{peer.name}/{peer.address}: {error}") from None
        most = int(self._plan.path["max_deliveries_per_connection"])
        self.usable = reply.code != 421 and self._sent < most
        return reply

    def _transaction(self, sender: str, recipient: str, data: bytes) -> SmtpReply:
        if self._sent:
            self._command("RSET", "rset")
        self._sent += 1
        size = f" SIZE={len(data)}" if self._smtp.has_extn("size") else ""
        eight_bit = " BODY=8BITMIME" if self._smtp.has_extn("8bitmime") else ""
        for command, more, step in (
            (f"MAIL FROM:<{sender}>", f"{size}{eight_bit}", "mail_from"),
            (f"RCPT TO:<{recipient}>", "", "rcpt_to"),
        ):
            answer = self._command(command, step, more)
            if answer.code // 100 != 2:
                return answer
        self._smtp.wait("data_dot")
        try:
            code, text = self._smtp.data(data)
        except smtplib.SMTPDataError as refused:
            return SmtpReply(code=refused.smtp_code, content=_text(refused.smtp_error))
        return SmtpReply(code=code, content=_text(text))

    def _command(self, command: str, step: str, more: str = "") -> SmtpReply:
        self._smtp.wait(step)
        code, text = self._smtp.docmd(command + more)
        if code < 0:
            raise OSError(f"malformed response: {text!r}")
        return SmtpReply(code=code, content=_text(text))

    def close(self) -> None:
        """Send QUIT; does not wait long for the answer."""
        with contextlib.suppress(OSError):
            self._smtp.wait("rset")
            self._smtp.quit()
        self._smtp.close()


def _text(said: bytes | str) -> str:
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    return text.replace("\n", " ")
