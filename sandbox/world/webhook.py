"""PING8's webhook receiver: writes down what it is sent, and fails on request in each known way."""

import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import asdict, dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN_HEADER = "X-PING8-Kumo-Token"  # noqa: S105 - a header's name

_HANG_SECONDS = 600
_REFUSED = 401


class Mode(Enum):
    """How the receiver treats a call."""

    TAKE = "take"
    STATUS = "status"
    """Answers with the status that is asked for."""
    HANG = "hang"
    """Takes the request and never answers."""
    RESET = "reset"
    """Breaks the connection off after the request."""
    PARTIAL = "partial"
    """Promises more of an answer than it sends."""
    FALSE_SUCCESS = "false_success"
    """Answers 200 with a body that says that nothing was stored."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What to do with the next calls; after `calls` of them (None: no end) it takes them again."""

    mode: Mode = Mode.TAKE
    status: int = 503
    calls: int | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call; a line of `webhook.jsonl`.

    `headers` lack the token: `token_matched` says whether it was right (None while none is set).
    `taken` calls count as delivered to PING8.
    """

    time: float
    peer: str
    method: str
    path: str
    headers: dict[str, str]
    token_matched: bool | None
    body: str
    taken: bool
    answer: str


def expect_token(folder: Path, token: str) -> None:
    """Tell the receiver the token; only a digest is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "webhook-token.sha256", hashlib.sha256(token.encode()).hexdigest())


def behave(folder: Path, behaviour: Behaviour) -> None:
    """Tell the receiver how to treat calls from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(
        folder / "webhook-behaviour.json",
        json.dumps({**asdict(behaviour), "mode": behaviour.mode.value}),
    )


def behaviour_of(folder: Path) -> Behaviour:
    """How the receiver treats calls."""
    try:
        told = json.loads((folder / "webhook-behaviour.json").read_text())
    except FileNotFoundError:
        return Behaviour()
    return Behaviour(**{**told, "mode": Mode(told["mode"])})


class Receiver:
    """State of the receiver between calls: files alone, so that others can tell it what to do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def token_matched(self, token: str) -> bool | None:
        """Whether a call's token is right."""
        try:
            expected = (self._folder / "webhook-token.sha256").read_text()
        except FileNotFoundError:
            return None
        return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), expected)

    def next_behaviour(self) -> Behaviour:
        """Behaviour for this call; counts it."""
        with self._lock:
            current = behaviour_of(self._folder)
            if current.mode is Mode.TAKE or current.calls is None:
                return current
            left = current.calls - 1
            rest = Behaviour(mode=current.mode, status=current.status, calls=left)
            behave(self._folder, rest if left > 0 else Behaviour())
            return current

    def write(self, call: Call) -> None:
        """Append to the record."""
        with self._lock, (self._folder / "webhook.jsonl").open("a") as record:
            record.write(json.dumps(asdict(call)) + "\n")


def handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    """Request handler of one receiver."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            matched = receiver.token_matched(self.headers.get(TOKEN_HEADER, ""))
            behaviour = receiver.next_behaviour()
            refused = matched is False
            taken = behaviour.mode is Mode.TAKE and not refused
            answer = "401" if refused and behaviour.mode is Mode.TAKE else behaviour.mode.value
            receiver.write(
                Call(
                    time=time.time(),
                    peer=str(self.client_address[0]),
                    method=self.command,
                    path=self.path,
                    headers={
                        name: value
                        for name, value in self.headers.items()
                        if name.lower() != TOKEN_HEADER.lower()
                    },
                    token_matched=matched,
                    body=body.decode(errors="replace"),
                    taken=taken,
                    answer=answer,
                )
            )
            self._answer(behaviour, refused=refused)

        def _answer(self, behaviour: Behaviour, *, refused: bool) -> None:
            match behaviour.mode:
                case Mode.TAKE if refused:
                    self._send(_REFUSED, {"ok": False, "error": "wrong token"})
                case Mode.TAKE:
                    self._send(200, {"ok": True})
                case Mode.FALSE_SUCCESS:
                    self._send(200, {"ok": False, "error": "not stored"})
                case Mode.STATUS:
                    self._send(behaviour.status, {"ok": False, "error": "told to fail"})
                case Mode.HANG:
                    time.sleep(_HANG_SECONDS)
                    self.close_connection = True
                case Mode.PARTIAL:
                    self._send(200, {"ok": True}, promised=1000)
                    self.close_connection = True
                case Mode.RESET:
                    self._reset()

        def _send(self, status: int, content: object, *, promised: int | None = None) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(promised or len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _reset(self) -> None:
            # Closing with a linger time of zero sends RST.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, format: str, *args: object) -> None:
            """Calls are in the record."""

    return Handler


class Server(ThreadingHTTPServer):
    """TLS for each connection in its own thread: a slow handshake holds up nobody."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], receiver: Receiver, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(address, handler_of(receiver))
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake and serve; broken connections are the client's business."""
        with contextlib.suppress(OSError):
            if self._tls is not None:
                request = self._tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)
            request.close()


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    fresh.write_text(text)
    fresh.rename(path)


def serve(folder: Path, address: str, chain: Path, key: Path) -> None:
    """Serve until told to end."""
    folder.mkdir(parents=True, exist_ok=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    server = Server((address, 443), Receiver(folder), tls)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    ready = folder / "webhook.ready"
    ready.touch()
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        ready.unlink(missing_ok=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
