"""Accepts the log hook's POSTs on loopback and forwards each to PING8's endpoint.

kumod's HTTP client follows redirects: the event would count as delivered, and the token would go
wherever the redirect points. Here a redirect is an error. All other requests and answers
are passed on unchanged; no answer at all is a 502.
"""

import http.client
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hostagent import contract
from hostagent.events.record import ID_FIELD
from hostagent.events.webhook import TOKEN_FIELD, Webhook

_IDLE_SECONDS = 300.0
_PASSED_ON = ("Content-Type", TOKEN_FIELD, ID_FIELD)


class Forwarder(ThreadingHTTPServer):
    """One thread and one connection to PING8 for each connection from kumod."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, webhook: Callable[[], Webhook], port: int = contract.FORWARDER_PORT) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.webhook = webhook

    def start(self) -> None:
        """Runs in the background until the program ends."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """kumod disconnecting in the middle, for example when killed, is not worth a report."""
        del request, client_address
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"ping8: the forwarder: {type(error).__name__}", file=sys.stderr, flush=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: Forwarder

    def setup(self) -> None:
        super().setup()
        self._webhook = self.server.webhook()

    def finish(self) -> None:
        self._webhook.close()
        super().finish()

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # kumod disconnected: half an event must not be sent.
            self.close_connection = True
            return
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        status, text = self._forward(body, headers)
        answer = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _forward(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        try:
            status, text = self._webhook.send(body, headers)
        except (OSError, http.client.HTTPException) as error:
            return 502, str(error) or type(error).__name__
        if 300 <= status < 400:
            return 502, f"{status}: events do not follow redirects"
        return status, text

    def log_message(self, format: str, *args: object) -> None:
        """Logs no line per event."""
