"""PING8's webhook receiver: records what it is sent, and fails on request in each known way."""

import contextlib
import hashlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox import files

TOKEN_HEADER = "X-PING8-Kumo-Token"  # noqa: S105 - a header's name

_HANG_SECONDS = 600


class Mode(StrEnum):
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


def expect_token(folder: Path, token: str) -> None:
    """Tell the receiver the token; only a digest is kept."""
    files.replace(folder / "webhook-token.sha256", _digest(token))


def behave(folder: Path, behaviour: Behaviour) -> None:
    """Tell the receiver how to treat calls from now on."""
    files.replace(folder / "webhook-behaviour.json", json.dumps(asdict(behaviour)))


def behaviour_of(folder: Path) -> Behaviour:
    """How the receiver treats calls."""
    try:
        told = json.loads((folder / "webhook-behaviour.json").read_text())
    except FileNotFoundError:
        return Behaviour()
    return Behaviour(**{**told, "mode": Mode(told["mode"])})


class Receiver:
    """The receiver's state between calls: only files, so that other processes can change it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def token_matched(self, token: str) -> bool | None:
        """Whether a call's token is right."""
        try:
            return _digest(token) == (self._folder / "webhook-token.sha256").read_text()
        except FileNotFoundError:
            return None

    def next_behaviour(self) -> Behaviour:
        """Behaviour for this call; counts it."""
        with self._lock:
            current = behaviour_of(self._folder)
            if current.mode is not Mode.TAKE and current.calls is not None:
                rest = replace(current, calls=current.calls - 1)
                behave(self._folder, rest if rest.calls else Behaviour())
            return current

    def write(self, call: Mapping[str, object]) -> None:
        """Append to the record, a line of `webhook.jsonl` a call."""
        with self._lock, (self._folder / "webhook.jsonl").open("a") as record:
            record.write(json.dumps({"time": time.time(), **call}) + "\n")


class Handler(BaseHTTPRequestHandler):
    """One call."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        receiver = self.server.receiver
        matched = receiver.token_matched(self.headers.get(TOKEN_HEADER, ""))
        behaviour = receiver.next_behaviour()
        if behaviour.mode is Mode.TAKE and matched is False:
            behaviour = Behaviour(mode=Mode.STATUS, status=401)
        token = TOKEN_HEADER.lower()
        headers = {n: value for n, value in self.headers.items() if n.lower() != token}
        receiver.write(
            {
                "peer": self.client_address[0],
                "method": self.command,
                "path": self.path,
                "headers": headers,
                # None while no token is set.
                "token_matched": matched,
                "body": body.decode(errors="replace"),
                # Whether it counts as delivered to PING8.
                "taken": behaviour.mode is Mode.TAKE,
                "answer": behaviour.mode,
            }
        )
        self._answer(behaviour)

    def _answer(self, behaviour: Behaviour) -> None:
        self.close_connection = behaviour.mode in (Mode.HANG, Mode.PARTIAL, Mode.RESET)
        match behaviour.mode:
            case Mode.TAKE:
                self._send(200, {"ok": True})
            case Mode.FALSE_SUCCESS:
                self._send(200, {"ok": False, "error": "not stored"})
            case Mode.STATUS:
                self._send(behaviour.status, {"ok": False, "error": "refused"})
            case Mode.HANG:
                time.sleep(_HANG_SECONDS)
            case Mode.PARTIAL:
                self._send(200, {"ok": True}, promised=1000)
            case Mode.RESET:
                # Closing with a linger time of zero sends RST.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

    def _send(self, status: int, content: object, *, promised: int | None = None) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(promised or len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Calls are in the record."""


class Server(ThreadingHTTPServer):
    """TLS for each connection in its own thread: a slow handshake holds up nobody."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], receiver: Receiver, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(address, Handler)
        self.receiver = receiver
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


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
