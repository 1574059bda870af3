"""A server of recipients and an endpoint of PING8 that misbehave when they are told to."""

import http.server
import json
import re
import socketserver
import threading
import time
from collections import Counter, defaultdict
from typing import Any

_NAME = re.compile(rb"^X-PING8-Message-Id: *(\S+)\r?$", re.MULTILINE | re.IGNORECASE)


class Server(socketserver.ThreadingTCPServer):
    """Serves in the background."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 100

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler)
        self.mood = ""
        self.count = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the play."""


class Recipients(Server):
    """`nobody...` is not there. `taken` are the moments at which a message was stored, `ended` when
    it had its last fate; `unanswered` those that were stored and whose client never heard so."""

    MOODS = ("defer", "break off in DATA", "store and break off", "are away")

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Session)
        self.taken: dict[str, list[float]] = defaultdict(list)
        self.ended: dict[str, float] = {}
        self.unanswered: set[str] = set()


class _Session(socketserver.StreamRequestHandler):
    server: Recipients

    def handle(self) -> None:
        if self.server.mood == "are away":
            return
        self._say(b"220 sink ESMTP")
        wanted = False
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self._say(b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING")
            elif verb == b"RCPT" and b"<nobody" in line:
                name = line.partition(b"<nobody")[2].partition(b"@")[0].decode()
                with self.server.lock:
                    self.server.ended[name] = time.time()
                    self.server.count += 1
                self._say(b"550 5.1.1 no such user")
            elif verb == b"DATA" and not wanted:
                self._say(b"503 5.5.1 nobody to send it to")
            elif verb == b"DATA":
                self._say(b"354 go on")
                if not self._message():
                    return
            elif verb == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                wanted = verb == b"RCPT" or (wanted and verb not in (b"MAIL", b"RSET"))
                self._say(b"250 2.0.0 ok")

    def _message(self) -> bool:
        text = []
        for line in self.rfile:
            if self.server.mood == "break off in DATA":
                return False
            if line == b".\r\n":
                break
            text.append(line)
        else:
            return False
        if self.server.mood == "defer":
            self._say(b"451 4.7.1 later")
            return True
        found = _NAME.search(b"".join(text))
        assert found
        name = found[1].decode()
        silent = self.server.mood == "store and break off"
        with self.server.lock:
            self.server.taken[name].append(time.time())
            self.server.ended[name] = time.time()
            self.server.count += 1
            if silent:
                self.server.unanswered.add(name)
        if silent:
            return False
        self._say(b"250 2.0.0 ok")
        return True

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class Endpoint(Server):
    """`events` are the ids that were stored, and how often; `followed` counts redirects."""

    MOODS = (
        "answers 401",
        "answers 500",
        "answers 503",
        "redirects",
        "breaks off",
        "answers half",
        "stores and breaks off",
        "refuses",
    )

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Post)
        self.events: Counter[str] = Counter()
        self.records: list[dict[str, Any]] = []
        self.followed = 0


class _Post(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mood = self.server.mood
        status = {"answers 401": 401, "answers 500": 500, "answers 503": 503, "redirects": 302,
                  "refuses": 422}.get(mood, 200)  # fmt: skip
        if mood == "breaks off":
            self.close_connection = True
            return
        if mood == "answers half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
            self.close_connection = True
            return
        if status == 200:
            self._store(body)
        if mood == "stores and breaks off":
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 302:
            self.send_header("Location", "/login")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.followed += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _store(self, body: Any) -> None:
        records = body if isinstance(body, list) else [body]
        with self.server.lock:
            for record in records:
                one = record.pop("X-PING8-Event-Id", self.headers["X-PING8-Event-Id"])
                self.server.events[one] += 1
                self.server.records.append(record)
                self.server.count += 1

    def log_message(self, *_: Any) -> None:
        """Nothing to the terminal."""
