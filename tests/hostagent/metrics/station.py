"""A host that the timer runs on: real files, a server that answers as kumod or the proxy did."""

import json
import socketserver
import ssl
import threading
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hostagent.host import Host
from hostagent.metrics import timer
from hostagent.metrics.cloudwatch import SendError
from hostagent.metrics.configuration import Config
from hostagent.metrics.timer import Places
from policy.release import Role
from policy.render.metrics import configuration
from policy.settings import Settings

CAPTURED = Path(__file__).with_name("captured")
_EPOCH = 0x01B21DD213814000


def captured(name: str) -> dict[str, Any]:
    """An answer of `/metrics.json`."""
    answer: dict[str, Any] = json.loads((CAPTURED / f"{name}.json").read_text("utf-8"))
    return answer


def spool_id(created: float) -> str:
    """A message id as kumod makes it at that time."""
    moment = int(created * 1e7) + _EPOCH
    low, middle, high = moment & 0xFFFFFFFF, (moment >> 32) & 0xFFFF, moment >> 48
    return uuid.UUID(fields=(low, middle, high | 0x1000, 0x80, 0, 1)).hex


class Server:
    """Answers by path; `queues` are messages by scheduled queue. What it does not know is a 404."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self.metrics: Mapping[str, Any] | bytes = metrics
        self.liveness = 200
        self.says = b"OK"
        self.queues: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self.hold.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        if path == "/api/check-liveness/v1":
            return self.liveness, self.says
        if path == "/proxy/status":
            return 401, b"not permitted GET on /proxy/status"
        if path == "/metrics.json":
            found = self.metrics
            return 200, found if isinstance(found, bytes) else json.dumps(found).encode()
        if path == "/api/admin/inspect-sched-q/v1" and query["queue_name"] in self.queues:
            ids = self.queues[query["queue_name"]][: int(query["limit"])]
            return 200, json.dumps({"messages": [{"id": one} for one in ids]}).encode()
        waiting = {one for ids in self.queues.values() for one in ids}
        if path == "/api/admin/inspect-message/v1" and query["id"] in waiting:
            return 200, b"{}"
        return 404, b"no such thing"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                server.asked.append(parts.path)
                server.hold.wait()
                status, body = server.answer(parts.path, dict(urllib.parse.parse_qsl(parts.query)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests read what was asked from `asked`."""

        return Handler


@contextmanager
def greeter(says: bytes) -> Iterator[str]:
    """A server that says this to each client; its address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(says)
            self.request.recv(64)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@dataclass
class Sent:
    """Calls that went out; `refuse` makes the next ones fail."""

    bodies: list[bytes] = field(default_factory=list)
    refuse: str = ""

    def __call__(self, config: Config, body: bytes) -> int:
        if self.refuse:
            raise SendError(self.refuse)
        self.bodies.append(body)
        return len(body)


Key = tuple[str, tuple[str, ...]]
"""A metric's name and the values of its own dimensions."""


@dataclass(frozen=True)
class Station:
    """A host with the timer's configuration, as rendered."""

    places: Places
    host: Host
    sent: Sent

    def run(self) -> int:
        return timer.main([], host=self.host, places=self.places)

    def metrics(self, call: int = -1) -> dict[Key, float]:
        return parsed(self.sent.bodies[call])

    def set(self, **changes: Any) -> None:
        data = json.loads(self.places.config.read_text())
        self.places.config.write_text(json.dumps(data | changes))


def parsed(body: bytes) -> dict[Key, float]:
    """Metrics of a call's body by name and own dimensions; each may come once."""
    fields = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
    found: dict[Key, float] = {}
    number = 1
    while f"MetricData.member.{number}.MetricName" in fields:
        row = f"MetricData.member.{number}"
        names, place = {}, 1
        while f"{row}.Dimensions.member.{place}.Name" in fields:
            at = f"{row}.Dimensions.member.{place}"
            names[fields[f"{at}.Name"]] = fields[f"{at}.Value"]
            place += 1
        own = tuple(value for name, value in names.items() if name not in ("Environment", "Host"))
        key = (fields[f"{row}.MetricName"], own)
        assert key not in found
        assert fields[f"{row}.Unit"] in ("Percent", "Count", "Seconds", "None")
        found[key] = float(fields[f"{row}.Value"])
        number += 1
    return found


def station(
    settings: Settings, role: Role, server: Server, host: Host, folder: Path, **changes: Any
) -> Station:
    """A host of that role whose kumod or proxy is the server."""
    name = "mta" if role == "mta" else settings.proxies[0].name
    data = configuration(settings, role, name)
    for volume in data["volumes"].values():
        volume["path"] = str(folder)
    places = {"mta": {"kumod": server.url}, "proxy": {"proxy": server.url}}[role]
    files = {
        "dead_letters": str(folder / "dead.sqlite"),
        "outbox": str(folder / "outbox"),
        "logs": str(folder / "logs"),
        "reputation": str(folder / "reputation.json"),
    }
    data |= places | (files if role == "mta" else {}) | changes
    config = folder / "metrics.json"
    config.write_text(json.dumps(data))
    sent = Sent()
    state = folder / "state" / "metrics.json"
    return Station(Places(config=config, state=state, sender=sent), host, sent)


class Nginx(BaseHTTPRequestHandler):
    """Refuses a request without a token, as Nginx does."""

    refusal = 401

    def do_POST(self) -> None:
        self.send_response(self.refusal)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Standard error is for what the agent says."""


def tls_server(certificate: Path, key: Path) -> tuple[ThreadingHTTPServer, str]:
    """Nginx's place: something that shows a certificate."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Nginx)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    return http, f"127.0.0.1:{http.server_address[1]}"
