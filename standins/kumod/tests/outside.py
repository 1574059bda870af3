"""What surrounds a real server process: mail servers, a webhook receiver, the processes."""

import http.client
import http.server
import json
import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE = 30.0


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What a mail server saw."""

    peer: str
    ehlo: str
    encrypted: bool
    sender: str
    recipients: list[str]
    data: bytes


class Sink:
    """A mail server that keeps what it receives and answers as the test wants."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answer = "250 2.0.0 ok"
        self.mails: queue.Queue[Mail] = queue.Queue()
        self._controller = Controller(
            self, hostname="127.0.0.1", port=free_port(), tls_context=tls, decode_data=False
        )
        self.port = int(self._controller.port)
        self._controller.start()

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        self.mails.put(
            Mail(
                peer=session.peer[0] if session.peer else "",
                ehlo=session.host_name or "",
                encrypted=session.ssl is not None,
                sender=envelope.mail_from or "",
                recipients=list(envelope.rcpt_tos),
                data=content if isinstance(content, bytes) else b"",
            )
        )
        return self.answer

    def get(self) -> Mail:
        return self.mails.get(timeout=PATIENCE)

    def close(self) -> None:
        self._controller.stop()


class Webhook:
    """A receiver of events that answers with the status that the test sets."""

    def __init__(self) -> None:
        self.status = 200
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.connections = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status == 200:
                    outer.events.put(json.loads(body))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def get(self, kind: str) -> dict[str, Any]:
        """The next event of that type."""
        while True:
            event = self.events.get(timeout=PATIENCE)
            if event["type"] == kind:
                return event

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Process:
    """A command of the stand-in; a line that it prints shows that it is up."""

    def __init__(
        self, module: str, *args: str, ready: str, env: Mapping[str, str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"standins.kumod.{module}", *args],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.lines: queue.Queue[str] = queue.Queue()
        assert self._process.stderr is not None
        threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True).start()
        self.wait_for(ready)

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.put(line)
        self.lines.put("(ended)")

    def wait_for(self, text: str) -> str:
        """The next line that holds the text."""
        seen = []
        while True:
            line = self.lines.get(timeout=PATIENCE)
            seen.append(line)
            if text in line:
                return line
            assert line != "(ended)", "".join(seen)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(timeout=PATIENCE)


def command(module: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the stand-in until it exits."""
    return subprocess.run(
        [sys.executable, "-m", f"standins.kumod.{module}", *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def call(
    port: int,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
) -> tuple[int, str]:
    """An HTTP request to a listener: status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        if body is None:
            connection.request("GET", path, headers=dict(headers or {}))
        else:
            sent = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, json.dumps(body), sent)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)
