"""The HTTP listener: injection, liveness, metrics, and the administration that operators use."""

import gzip
import ipaddress
import json
import socket
import ssl
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from standins.kumod import metrics
from standins.kumod.admin import BadRule, Rules
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.injection import BadRequest
from standins.kumod.service import Service

_DEFAULT_LIMIT = 2 * 1024 * 1024
_DEFAULT_TRUSTED = ("127.0.0.1/32", "::1/128")


class HttpListener(ThreadingHTTPServer):
    """Listens where the policy said."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(
        self, params: dict[str, Any], service: Service, tls: ssl.SSLContext | None
    ) -> None:
        host, _, port = params["listen"].rpartition(":")
        self.params = params
        self.service = service
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host.strip("[]"), int(port)), _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to report."""


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: HttpListener
    protocol_version = "HTTP/1.1"
    server_version = "KumoMTA-stand-in"
    timeout = 75

    def log_message(self, format: str, *args: Any) -> None:
        """kumod writes no access log."""

    def do_GET(self) -> None:
        self._route(
            {
                "/api/check-liveness/v1": self._liveness,
                "/metrics": self._metrics_text,
                "/metrics.json": self._metrics_json,
                "/api/admin/inspect-sched-q/v1": self._inspect_queue,
                "/api/admin/inspect-message/v1": self._inspect_message,
                "/api/admin/bounce/v1": self._list_bounces,
                "/api/admin/suspend/v1": self._list_suspensions,
            }
        )

    def do_POST(self) -> None:
        self._route(
            {
                "/api/inject/v1": self._inject,
                "/api/admin/bounce/v1": self._bounce,
                "/api/admin/suspend/v1": self._suspend,
                "/api/admin/bump-config-epoch": self._bump_epoch,
            }
        )

    def do_DELETE(self) -> None:
        rules = self.server.service.engine.scheduler
        self._route(
            {
                "/api/admin/bounce/v1": lambda: self._cancel(rules.bounces, "bounce"),
                "/api/admin/suspend/v1": lambda: self._cancel(rules.suspensions, "suspend"),
            }
        )

    def _route(self, routes: dict[str, Callable[[], None]]) -> None:
        path = urlsplit(self.path).path
        handler = routes.get(path)
        try:
            if handler is None:
                handler = self._not_found
            elif path != "/api/check-liveness/v1":
                self._authorize()
            handler()
        except _Refused as refused:
            self._drain()
            self._send(refused.status, str(refused).encode(), "text/plain; charset=utf-8")

    def _drain(self) -> None:
        """The rest of an unread body would be taken for the next request."""
        if self.command in ("POST", "DELETE"):
            self.close_connection = True

    # Who may -------------------------------------------------------------------

    def _authorize(self) -> None:
        authorization = self.headers.get("Authorization")
        if authorization is not None:
            if not self._accepts(authorization):
                raise _Refused(401, "Unauthorized")
            return
        trusted = self.server.params.get("trusted_hosts", _DEFAULT_TRUSTED) or ()
        peer = ipaddress.ip_address(self.client_address[0])
        if not any(peer in ipaddress.ip_network(net, strict=False) for net in trusted):
            raise _Refused(401, "Unauthorized")

    def _accepts(self, authorization: str) -> bool:
        """kumod judges credentials wherever they are given, trusted host or not."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        engine = self.server.service.engine
        context = engine.pool.get()
        try:
            return context.call("http_server_validate_auth_bearer", token) is True
        except PolicyError as error:
            engine.facts.diagnose("ERROR", f"http_server_validate_auth_bearer: {error.text}")
            return False
        finally:
            engine.pool.put(context)

    # Injection --------------------------------------------------------------------

    def _inject(self) -> None:
        problem = self.server.service.not_ready()
        if problem:
            raise _Refused(503, problem)
        body = self._json_body()
        try:
            answer = self.server.service.engine.inject(body, peer=self.client_address[0])
        except BadRequest as error:
            raise _Refused(422, str(error)) from None
        except (KumoError, PolicyError) as error:
            raise _Refused(500, f"Error: {error}") from None
        self.server.service.engine.wake()
        self._json(200, answer)

    def _json_body(self) -> Any:
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise _Refused(415, "Expected request with `Content-Type: application/json`")
        raw = self._body()
        try:
            return json.loads(raw)
        except ValueError as error:
            raise _Refused(400, f"Failed to parse the request body as JSON: {error}") from None

    def _body(self) -> bytes:
        """As Nginx passes it on: of a known length, perhaps compressed by PING8."""
        limit = int(self.server.params.get("request_body_limit", _DEFAULT_LIMIT))
        length = self.headers.get("Content-Length", "0")
        encoding = self.headers.get("Content-Encoding", "")
        if "Transfer-Encoding" in self.headers or encoding.lower() not in ("", "gzip"):
            raise _Refused(501, f"no chunks and no {encoding or 'encoding'} in this stand-in")
        if not length.isdecimal():
            raise _Refused(400, "bad Content-Length")
        if int(length) > limit:
            raise _Refused(413, "length limit exceeded")
        raw = self.rfile.read(int(length))
        try:
            raw = gzip.decompress(raw) if encoding else raw
        except (OSError, EOFError, zlib.error):
            raise _Refused(400, "the body does not decompress") from None
        if len(raw) > limit:
            raise _Refused(413, "length limit exceeded")
        return raw

    def _not_found(self) -> None:
        raise _Refused(404, "Not Found")

    # State ------------------------------------------------------------------------

    def _liveness(self) -> None:
        problem = self.server.service.not_ready()
        self._send(503 if problem else 200, (problem or "OK").encode(), "text/plain")

    def _metrics_text(self) -> None:
        text = metrics.as_text(metrics.snapshot(self.server.service.engine))
        self._send(200, text.encode(), "text/plain; version=0.0.4")

    def _metrics_json(self) -> None:
        self._json(200, metrics.snapshot(self.server.service.engine))

    def _query(self, name: str) -> str | None:
        values = parse_qs(urlsplit(self.path).query).get(name)
        return values[0] if values else None

    def _inspect_queue(self) -> None:
        name = self._query("queue_name") or ""
        engine = self.server.service.engine
        waiting = [m for m in engine.scheduler.waiting() if m.queue_name() == name]
        if not waiting:
            raise _Refused(404, f"no such queue {name}")
        limit = int(self._query("limit") or len(waiting))
        want_body = self._query("want_body") == "true"
        self._json(
            200,
            {
                "queue_name": name,
                "num_scheduled": len(waiting),
                "messages": [
                    {"id": m.id, "message": _information(m, want_body=want_body)}
                    for m in waiting[:limit]
                ],
            },
        )

    def _inspect_message(self) -> None:
        wanted = self._query("id")
        for message in self.server.service.engine.scheduler.waiting():
            if message.id == wanted:
                information = _information(message, want_body=self._query("want_body") == "true")
                self._json(200, {"id": message.id, "message": information})
                return
        raise _Refused(500, f"Error: no such key {wanted}")

    # Administration -------------------------------------------------------------------

    def _list_bounces(self) -> None:
        rules = self.server.service.engine.scheduler.bounces
        self._json(200, [rule.listed(counts=True) for rule in rules.active()])

    def _list_suspensions(self) -> None:
        rules = self.server.service.engine.scheduler.suspensions
        self._json(200, [rule.listed(counts=False) for rule in rules.active()])

    def _bounce(self) -> None:
        """kumod counts nothing in its answer: it bounces after it has answered."""
        try:
            rule = self.server.service.bounce(self._json_body())
        except BadRule as error:
            raise _Refused(422, str(error)) from None
        self._json(200, {"id": rule, "bounced": {}, "total_bounced": 0})

    def _suspend(self) -> None:
        try:
            rule = self.server.service.engine.scheduler.suspensions.add(self._json_body())
        except BadRule as error:
            raise _Refused(422, str(error)) from None
        self._json(200, {"id": rule.id})

    def _cancel(self, rules: Rules, kind: str) -> None:
        wanted = self._json_body().get("id")
        if rules.remove(wanted):
            self._send(200, f"removed {wanted}".encode(), "text/plain; charset=utf-8")
        else:
            raise _Refused(404, f"{kind} entry {wanted} not found")

    def _bump_epoch(self) -> None:
        self.server.service.engine.bump_epoch()
        self._send(200, b"", "text/plain")

    def _json(self, status: int, value: Any) -> None:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        self._send(status, text.encode("utf-8", "surrogateescape"), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _information(message: Any, *, want_body: bool) -> dict[str, Any]:
    return {
        "sender": message.sender.text,
        "recipient": [recipient.text for recipient in message.recipients],
        "meta": message.meta,
        "data": message.data.decode("utf-8", "replace") if want_body else None,
        "due": message.due,
        "num_attempts": message.num_attempts,
    }
