"""The HTTP listener: injection, liveness, metrics, and the administration that operators use."""

import gzip
import ipaddress
import json
import socket
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

from werkzeug.exceptions import abort
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from standins.kumod import metrics
from standins.kumod.admin import Rules
from standins.kumod.engine import Engine
from standins.kumod.errors import BadRequest
from standins.kumod.message import Message

_DEFAULT_LIMIT = 2 * 1024 * 1024
_DEFAULT_TRUSTED = ("127.0.0.1/32", "::1/128")
_LIVENESS = "/api/check-liveness/v1"


class _Quiet(WSGIRequestHandler):
    timeout = 75

    def log(self, type: str, message: str, *args: Any) -> None:
        """kumod writes no access log."""


def http_listener(address: str, answer: Callable[[Request], Response]) -> BaseWSGIServer:
    """A server that is bound to the address; the caller runs its `serve_forever`."""
    host, _, port = address.rpartition(":")
    with socket.create_server((host, int(port)), backlog=256) as bound:
        return make_server(
            host,
            int(port),
            Request.application(answer),
            threaded=True,
            request_handler=_Quiet,
            fd=bound.fileno(),
        )


def as_json(value: Any) -> Response:
    """An answer in kumod's spelling of JSON."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Response(text.encode("utf-8", "surrogateescape"), mimetype="application/json")


class HttpApi:
    def __init__(self, params: dict[str, Any], engine: Engine) -> None:
        self._params = params
        self._engine = engine
        self._suspensions, self._bounces = engine.scheduler.suspensions, engine.scheduler.bounces
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", _LIVENESS): self._liveness,
            ("GET", "/metrics.json"): lambda _: as_json(metrics.snapshot(engine)),
            ("POST", "/api/inject/v1"): self._inject,
            ("GET", "/api/admin/inspect-sched-q/v1"): self._inspect_queue,
            ("GET", "/api/admin/inspect-message/v1"): self._inspect_message,
            ("POST", "/api/admin/bump-config-epoch"): self._bump_epoch,
            ("GET", "/api/admin/suspend/v1"): lambda _: _listed(self._suspensions, counts=False),
            ("POST", "/api/admin/suspend/v1"): self._suspend,
            ("DELETE", "/api/admin/suspend/v1"): lambda r: self._cancel(r, self._suspensions),
            # Ready queues cannot be suspended here, so none is.
            ("GET", "/api/admin/suspend-ready-q/v1"): lambda _: as_json([]),
            ("GET", "/api/admin/bounce/v1"): lambda _: _listed(self._bounces, counts=True),
            ("POST", "/api/admin/bounce/v1"): self._bounce,
            ("DELETE", "/api/admin/bounce/v1"): lambda r: self._cancel(r, self._bounces),
        }

    def __call__(self, request: Request) -> Response:
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            abort(404)
        if request.path != _LIVENESS:
            self._authorize(request)
        try:
            return handler(request)
        except BadRequest as error:
            _refuse(422, str(error))

    def _authorize(self, request: Request) -> None:
        """kumod checks credentials if they are given, and the policy has no handler for them."""
        trusted = self._params.get("trusted_hosts", _DEFAULT_TRUSTED) or ()
        peer = ipaddress.ip_address(request.remote_addr or "")
        if "Authorization" in request.headers or not any(
            peer in ipaddress.ip_network(net, strict=False) for net in trusted
        ):
            abort(401)

    def _inject(self, request: Request) -> Response:
        problem = self._engine.not_ready()
        if problem:
            _refuse(503, problem)
        peer = request.remote_addr or ""
        return as_json(self._engine.inject(self._json_body(request), peer=peer))

    def _json_body(self, request: Request) -> Any:
        """As Nginx passes it on; PING8 may have compressed it."""
        if not request.is_json:
            _refuse(415, "Expected request with `Content-Type: application/json`")
        limit = int(self._params.get("request_body_limit", _DEFAULT_LIMIT))
        request.max_content_length = limit
        raw = request.get_data()
        try:
            if request.headers.get("Content-Encoding"):
                raw = gzip.decompress(raw)
            body = json.loads(raw)
        except (OSError, EOFError, zlib.error):
            _refuse(400, "the body does not decompress")
        except ValueError as error:
            _refuse(400, f"Failed to parse the request body as JSON: {error}")
        if len(raw) > limit:
            abort(413)
        return body

    def _liveness(self, _request: Request) -> Response:
        problem = self._engine.not_ready()
        return Response(problem or "OK", status=503 if problem else 200)

    def _inspect_queue(self, request: Request) -> Response:
        name = request.args.get("queue_name", "")
        waiting = [m for m in self._engine.scheduler.waiting() if m.queue_name() == name]
        if not waiting:
            _refuse(404, f"no such queue {name}")
        limit = request.args.get("limit", len(waiting), int)
        messages = [_information(message, request) for message in waiting[:limit]]
        return as_json({"queue_name": name, "num_scheduled": len(waiting), "messages": messages})

    def _inspect_message(self, request: Request) -> Response:
        wanted = request.args.get("id")
        found = [m for m in self._engine.scheduler.waiting() if m.id == wanted]
        if not found:
            _refuse(500, f"Error: no such key {wanted}")
        return as_json(_information(found[0], request))

    def _suspend(self, request: Request) -> Response:
        return as_json({"id": self._suspensions.add(self._json_body(request)).id})

    def _bounce(self, request: Request) -> Response:
        """kumod's answer has no counts: it bounces after it has answered."""
        rule = self._bounces.add(self._json_body(request))
        self._engine.scheduler.bounce_waiting(rule)
        self._engine.settle_logs()
        return as_json({"id": rule.id, "bounced": {}, "total_bounced": 0})

    def _cancel(self, request: Request, rules: Rules) -> Response:
        wanted = self._json_body(request).get("id")
        if not rules.remove(wanted):
            _refuse(404, f"entry {wanted} not found")
        return Response(f"removed {wanted}")

    def _bump_epoch(self, _request: Request) -> Response:
        self._engine.bump_epoch()
        return Response()


def _refuse(status: int, text: str) -> NoReturn:
    abort(Response(text, status=status))


def _listed(rules: Rules, *, counts: bool) -> Response:
    return as_json([rule.listed(counts=counts) for rule in rules.active()])


def _information(message: Message, request: Request) -> dict[str, Any]:
    want_body = request.args.get("want_body") == "true"
    information = {
        "sender": message.sender.text,
        "recipient": [recipient.text for recipient in message.recipients],
        "meta": message.meta,
        "data": message.data.decode("utf-8", "replace") if want_body else None,
        "due": message.due,
        "num_attempts": message.num_attempts,
    }
    return {"id": message.id, "message": information}
