"""The moto server in this process: one state, served at any number of addresses."""

import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server


class Servers:
    """A WSGI application that can be reached at several sockets."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._servers: list[BaseWSGIServer] = []

    def listen(
        self, address: str, port: int = 0, *, certificate: tuple[Path, Path] | None = None
    ) -> int:
        """Serves at one more socket, over TLS when a certificate and key are given; its port."""
        context = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
        server = make_server(
            address,
            port,
            self._application,
            threaded=True,
            request_handler=_Quiet,
            ssl_context=context,
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return int(server.server_address[1])

    def stop(self) -> None:
        """Closes every socket; the state stays with the process."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()


class MotoServer(Servers):
    """AWS as moto knows it, one request at a time.

    Moto's state is plain dictionaries without locks, and the engine asks for many things at once.
    """

    def __init__(self) -> None:
        super().__init__(self._serve)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.on_dns_change: Callable[[], None] = lambda: None
        """Called when a host, which comes over TLS, has changed records, before it is answered."""
        self._lock = threading.Lock()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Sequence[bytes]:
        with self._lock:
            answer: Iterable[bytes] = self._moto(environ, start_response)
            try:
                body = list(answer)
            finally:
                close = getattr(answer, "close", None)
                if close is not None:
                    close()
        if environ["wsgi.url_scheme"] == "https" and _changes_records(environ):
            self.on_dns_change()
        return body


def _changes_records(environ: dict[str, Any]) -> bool:
    path = str(environ["PATH_INFO"]).rstrip("/")
    return environ["REQUEST_METHOD"] == "POST" and path.endswith("/rrset")


class _Quiet(MotoRequestHandler):
    """Requests hold secrets, so none is logged."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass
