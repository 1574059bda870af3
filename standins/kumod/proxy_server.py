"""The command ``proxy-server``: SOCKS5 with source addresses, as KumoProxy."""

import contextlib
import errno
import signal
import socket
import socketserver
import sys
import threading
from collections import Counter, defaultdict
from typing import Any

from werkzeug.wrappers import Request, Response

from standins.kumod import socks
from standins.kumod.durations import seconds
from standins.kumod.engine import Engine
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.http_api import as_json, http_listener
from standins.kumod.main import Panic, node_id, parser, say
from standins.kumod.server import real_engine

_STATUSES = {
    errno.ENETUNREACH: 3,
    errno.EHOSTUNREACH: 4,
    errno.ECONNREFUSED: 5,
    errno.ETIMEDOUT: socks.TTL_EXPIRED,
}
_CHUNK = 65_536


class Proxy:
    def __init__(self, engine: Engine | None = None) -> None:
        self.counters: dict[str, Counter[str]] = defaultdict(Counter)
        self.active: Counter[str] = Counter()
        self._engine = engine
        self._lock = threading.Lock()

    def serve(self, stream: socket.socket, listener: "SocksListener") -> None:
        with self._lock:
            self.counters["proxy_connections_accepted_total"][listener.name] += 1
            self.active[listener.name] += 1
        stream.settimeout(listener.client_timeout)
        outcome = "completed"
        try:
            self._session(stream, listener)
        except socks.SocksError as refused:
            # KumoProxy counts a request that it answered with a failure as completed.
            with contextlib.suppress(OSError):
                socks.send_message(stream, refused.status)
        except OSError:
            outcome = "failed"
        with self._lock:
            self.counters[f"proxy_connections_{outcome}_total"][listener.name] += 1
            self.active[listener.name] -= 1

    def _session(self, stream: socket.socket, listener: "SocksListener") -> None:
        self._greet(stream, listener.require_auth)
        command, target = socks.read_message(stream)
        source: socks.Address | None = None
        if command == socks.BIND:
            source = _bound(target)
            socks.send_message(stream, 0, source)
            command, target = socks.read_message(stream)
        if command != socks.CONNECT:
            raise socks.SocksError(socks.NOT_SUPPORTED)
        try:
            local = (source[0], 0) if source else None
            remote = socket.create_connection(target, listener.client_timeout, local)
        except OSError as error:
            late = isinstance(error, TimeoutError)
            raise socks.SocksError(socks.TTL_EXPIRED if late else _status(error)) from None
        with remote:
            socks.send_message(stream, 0, remote.getsockname()[:2])
            for end in (stream, remote):
                end.settimeout(None)
            back = threading.Thread(target=_copy, args=(remote, stream))
            back.start()
            _copy(stream, remote)
            back.join()

    def _greet(self, stream: socket.socket, require_auth: bool) -> None:
        version, count = socks.read_exactly(stream, 2)
        offered = socks.read_exactly(stream, count)
        if version != socks.VERSION:
            raise OSError("not SOCKS5")
        if socks.USER_PASSWORD in offered:
            stream.sendall(bytes([socks.VERSION, socks.USER_PASSWORD]))
            self._log_in(stream)
        elif socks.NO_AUTH in offered and not require_auth:
            stream.sendall(bytes([socks.VERSION, socks.NO_AUTH]))
        else:
            stream.sendall(bytes([socks.VERSION, socks.NO_METHOD]))
            raise OSError("no acceptable method")

    def _log_in(self, stream: socket.socket) -> None:
        socks.read_exactly(stream, 1)
        user, password = (
            socks.read_exactly(stream, socks.read_exactly(stream, 1)[0]).decode("utf-8", "replace")
            for _ in range(2)
        )
        meta = {
            "peer_address": "{}:{}".format(*stream.getpeername()),
            "local_address": "{}:{}".format(*stream.getsockname()),
        }
        good = self._judge(user, password, meta)
        stream.sendall(bytes([1, 0 if good else 1]))
        if not good:
            raise OSError("authentication failed")

    def _judge(self, *credentials: Any) -> bool:
        if self._engine is None:
            return False
        try:
            with self._engine.pool.borrowed() as context:
                return context.call("proxy_server_auth_rfc1929", *credentials) is True
        except PolicyError as error:
            say(f"ERROR proxy_server_auth_rfc1929: {error}")
            return False

    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: {"value": {"listener": dict(counts)}}
            for name, counts in list(self.counters.items())
        }
        active = {"listener": dict(self.active)} if self.active else None
        return found | {"proxy_active_connections": {"value": active}}

    def answer(self, request: Request) -> Response:
        match request.path:
            case "/proxy/status":
                # Its access control list has no rule for it, not even for trusted hosts.
                return Response("not permitted GET on /proxy/status", status=401)
            case "/metrics.json":
                return as_json(self.metrics())
        return Response("Not Found", status=404)


class SocksListener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, proxy: Proxy, params: dict[str, Any]) -> None:
        self.name = params["listen"]
        self.client_timeout = seconds(params, "timeout", 60.0)
        self.require_auth = bool(params.get("require_auth"))
        host, _, port = self.name.rpartition(":")
        self._proxy = proxy
        super().__init__((host, int(port)), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        self._proxy.serve(request, self)


def _status(error: OSError) -> int:
    return _STATUSES.get(error.errno or 0, socks.FAILED)


def _bound(address: socks.Address) -> socks.Address:
    """The source address must be on an interface of this host."""
    try:
        with socket.socket() as probe:
            probe.bind(address)
            host, port = probe.getsockname()
            return str(host), int(port)
    except OSError as error:
        raise socks.SocksError(_status(error)) from None


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copies until one side ends; the other side is told and may still answer."""
    try:
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # Whoever waits for either side is not to wait for ever.
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _configured(path: str) -> Engine:
    """The Lua configuration: its listeners, and its password check."""
    engine = real_engine(path, proxy=True)
    with engine.pool.borrowed() as context:
        if not context.has_handler("proxy_init"):
            raise KumoError("the configuration registers no proxy_init")
        context.call("proxy_init")
    return engine


def _start(addresses: list[str], engine: Engine | None) -> None:
    """The listeners' threads end with the process."""
    proxy = Proxy(engine)
    listeners: list[tuple[str, dict[str, Any]]] = [("proxy", {"listen": a}) for a in addresses]
    for kind, params in [*listeners, *(engine.listeners if engine else ())]:
        server: socketserver.BaseServer
        if kind == "proxy":
            server = SocksListener(proxy, params)
        else:
            server = http_listener(params["listen"], proxy.answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say(f"INFO {kind} listener on {params['listen']}")


def main(argv: list[str] | None = None) -> int:
    arguments = parser("proxy-server")
    arguments.add_argument("--listen", action="append", default=[])
    arguments.add_argument("--proxy-config")
    options = arguments.parse_args(argv)
    if not options.listen and not options.proxy_config:
        say("Error: No listeners defined! use the --listen option to specify at least one!")
        return 1
    try:
        engine = _configured(options.proxy_config) if options.proxy_config else None
        node_id()
        _start(options.listen, engine)
    except (PolicyError, KumoError, OSError) as error:
        say(f"Error: {error}")
        return 1
    except Panic as panic:
        say(f"panicked: {panic}")
        return 101
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_signal: stop.set())
    stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
