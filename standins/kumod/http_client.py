"""kumo.http: one keep-alive client with real connections, or a function in tests."""

import http.client
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit


class HttpFailure(Exception):
    """No response came: refused, reset, timed out."""


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request as it goes out."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout: float = 60.0

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        for present, value in self.headers:
            if present.lower() == name.lower():
                return value
        return None


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """A response as it came in."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    truncated: bool = field(default=False)


class HttpTransport(Protocol):
    """Sends requests for one client object."""

    def request(self, request: HttpRequest) -> HttpResponse: ...

    def close(self) -> None: ...


class FunctionTransport:
    """Hands each request to a test's function."""

    def __init__(self, function: Callable[[HttpRequest], HttpResponse]) -> None:
        self._function = function

    def request(self, request: HttpRequest) -> HttpResponse:
        return self._function(request)

    def close(self) -> None:
        """Nothing is open."""


class SocketTransport:
    """Keeps one connection to each origin, and remakes it when the peer has closed it."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}
        self._lock = threading.Lock()

    def request(self, request: HttpRequest) -> HttpResponse:
        with self._lock:
            parts = urlsplit(request.url)
            origin = (parts.scheme, parts.netloc)
            reused = origin in self._connections
            try:
                return self._send(origin, request)
            except (OSError, http.client.HTTPException) as error:
                self._drop(origin)
                stale = isinstance(error, http.client.RemoteDisconnected | BrokenPipeError)
                if not (reused and stale):
                    raise HttpFailure(_describe(error)) from None
            try:
                return self._send(origin, request)
            except (OSError, http.client.HTTPException) as error:
                self._drop(origin)
                raise HttpFailure(_describe(error)) from None

    def _send(self, origin: tuple[str, str], request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        connection = self._connections.get(origin)
        if connection is None:
            connection = _connect(parts.scheme, parts.hostname or "", parts.port, request.timeout)
            self._connections[origin] = connection
        if connection.sock is not None:
            connection.sock.settimeout(request.timeout)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(request.method, target, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value.encode("utf-8", "surrogateescape"))
        connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body)
        response = connection.getresponse()
        body = response.read()
        if response.will_close:
            self._drop(origin)
        return HttpResponse(
            status=response.status,
            reason=response.reason,
            headers=tuple(response.getheaders()),
            body=body,
        )

    def _drop(self, origin: tuple[str, str]) -> None:
        connection = self._connections.pop(origin, None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        with self._lock:
            for origin in list(self._connections):
                self._drop(origin)


def _connect(
    scheme: str, host: str, port: int | None, timeout: float
) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    raise HttpFailure(f"builder error for url: unsupported scheme {scheme!r}")


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "operation timed out"
    return f"{type(error).__name__}: {error}"
