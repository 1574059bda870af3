"""The ESMTP listener: real sessions, judged by the engine's reception."""

import re
import socket
import socketserver
import ssl
from typing import Any

from standins.kumod.errors import KumoError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.reception import Reception, SmtpState

_TIMEOUT = 60.0
_DEFAULT_SIZE = 20 * 1024 * 1024
_DEFAULT_RECIPIENTS = 1024


class SmtpListener(socketserver.ThreadingTCPServer):
    """Listens where the policy said."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, params: dict[str, Any], reception: Reception, tls: ssl.SSLContext | None
    ) -> None:
        host, _, port = params["listen"].rpartition(":")
        self.params = params
        self.reception = reception
        self.tls = tls
        super().__init__((host.strip("[]"), int(port)), _Session)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to report."""


class _Session(socketserver.BaseRequestHandler):
    server: SmtpListener

    def setup(self) -> None:
        self._peer = self.client_address[0]
        self._helo = ""
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._state: SmtpState | None = None
        self._stream: socket.socket = self.request
        self._stream.settimeout(_TIMEOUT)
        self._reader = self._stream.makefile("rb")
        self._encrypted = False

    def handle(self) -> None:
        params = self.server.params
        hostname = params.get("hostname") or socket.gethostname()
        self._answer(220, f"{hostname} {params.get('banner', 'KumoMTA')}")
        while True:
            line = self._reader.readline(4096)
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            verb, _, argument = text.partition(" ")
            if verb.upper() == "QUIT":
                self._answer(221, "So long, and thanks for all the fish!")
                return
            handler = getattr(self, f"_do_{verb.lower()}", None)
            if handler is None:
                self._answer(502, f"5.5.1 {verb} not implemented")
            else:
                handler(argument)

    def _answer(self, code: int, *lines: str) -> None:
        flat = [part for line in lines for part in line.splitlines() or [""]]
        text = "".join(
            f"{code}{'-' if index < len(flat) - 1 else ' '}{line}\r\n"
            for index, line in enumerate(flat)
        )
        self._stream.sendall(text.encode("utf-8", "replace"))

    # Commands -----------------------------------------------------------------

    def _hello(self, argument: str) -> None:
        self._helo = argument.strip() or "unknown"
        self._state = self.server.reception.session(self.server.params, self._peer, self._helo)
        self._reset()

    def _do_helo(self, argument: str) -> None:
        self._hello(argument)
        self._answer(250, f"Hello {self._helo}")

    def _do_ehlo(self, argument: str) -> None:
        self._hello(argument)
        size = self.server.params.get("max_message_size", _DEFAULT_SIZE)
        extensions = ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", f"SIZE {size}"]
        if self.server.tls is not None and not self._encrypted:
            extensions.append("STARTTLS")
        self._answer(250, f"Aloha {self._helo}", *extensions)

    def _do_starttls(self, _argument: str) -> None:
        if self.server.tls is None or self._encrypted:
            self._answer(501, "Cannot STARTTLS")
            return
        self._answer(220, "Ready to Start TLS")
        self._stream = self.server.tls.wrap_socket(self._stream, server_side=True)
        self._reader = self._stream.makefile("rb")
        self._encrypted = True
        self._state = None

    def _do_noop(self, _argument: str) -> None:
        self._answer(250, "the goggles do nothing")

    def _do_rset(self, _argument: str) -> None:
        self._reset()
        self._answer(250, "Reset state")

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []

    def _do_mail(self, argument: str) -> None:
        match = re.match(r"(?i)FROM:\s*<([^>]*)>", argument)
        if self._state is None:
            self._answer(503, "5.5.1 say EHLO first")
        elif match is None:
            self._answer(501, "5.5.4 syntax error in MAIL FROM")
        else:
            self._reset()
            self._sender = match[1]
            self._answer(250, "OK")

    def _do_rcpt(self, argument: str) -> None:
        match = re.match(r"(?i)TO:\s*<([^>]*)>", argument)
        if self._sender is None or self._state is None:
            self._answer(503, "5.5.1 MAIL FROM must be issued first")
            return
        if match is None:
            self._answer(501, "5.5.4 syntax error in RCPT TO")
            return
        most = self.server.params.get("max_recipients_per_message", _DEFAULT_RECIPIENTS)
        if len(self._recipients) >= most:
            self._answer(451, "4.5.3 too many recipients")
            return
        refusal = self.server.reception.rcpt(self._state, self._sender, match[1])
        if refusal is not None:
            self._answer(refusal.code, refusal.text)
            return
        self._recipients.append(match[1])
        self._answer(250, "OK")

    def _do_data(self, _argument: str) -> None:
        if self._state is None or self._sender is None or not self._recipients:
            self._answer(503, "5.5.1 RCPT TO must be issued first")
            return
        self._answer(354, "Send body; end with CRLF.CRLF")
        content = self._read_content()
        if content is None:
            self._answer(552, "5.3.4 message too large")
            self._reset()
            return
        answer = self.server.reception.data(
            self._state,
            EnvelopeAddress.parse(self._sender),
            [EnvelopeAddress.parse(recipient) for recipient in self._recipients],
            content,
        )
        self._answer(answer.code, answer.text)
        self._reset()

    def _read_content(self) -> bytes | None:
        limit = int(self.server.params.get("max_message_size", _DEFAULT_SIZE))
        lines: list[bytes] = []
        size = 0
        while True:
            line = self._reader.readline(65_536)
            if not line:
                raise KumoError("the client went away during DATA")
            if line.rstrip(b"\r\n") == b"." and line.endswith(b"\n"):
                return b"".join(lines) if size <= limit else None
            line = line.removeprefix(b".") if line.startswith(b"..") else line
            size += len(line)
            if size <= limit:
                lines.append(line.rstrip(b"\r\n") + b"\r\n" if line.endswith(b"\n") else line)


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS for a listener with that certificate and key (files)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
