"""A real Nginx with the rendered site, in front of a small upstream that stands in for kumod."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hostagent.contract import NGINX_CONF
from policy.release import Release
from tests.examples import text_of

TOKEN = "stand-in-injection-token-0123456789"
INJECT = "/api/inject/v1"
LIVENESS = "/api/check-liveness/v1"


@dataclass(frozen=True)
class Answer:
    """What the upstream or Nginx answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Seen:
    """A request as it reached the upstream."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Upstream:
    """kumod's stand-in; `behave` decides each answer, or cuts the connection by returning None."""

    behave: Callable[[BaseHTTPRequestHandler], Answer | None]
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def running(self) -> Iterator["Upstream"]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.seen.append(Seen(self.path, dict(self.headers.items()), body))
                answer = outer.behave(self)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass(frozen=True)
class Nginx:
    """A running Nginx."""

    port: int
    folder: Path
    process: "subprocess.Popen[bytes]"

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=context or trusting(), timeout=10
        )

    def ask(
        self,
        method: str = "POST",
        path: str = INJECT,
        *,
        token: str | None = TOKEN,
        authorization: str | None = None,
        body: bytes | Iterator[bytes] = b'{"content":"hello"}',
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        sent = dict(headers or {})
        if authorization is None and token is not None:
            authorization = f"Bearer {token}"
        if authorization is not None:
            sent["Authorization"] = authorization
        connection = self.connect()
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                # Nginx may answer a body that is too large before it has read all of it.
                connection.request(
                    method, path, body=body if method == "POST" else None, headers=sent
                )
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def log(self, name: str) -> str:
        return (self.folder / name).read_text()


def trusting() -> ssl.SSLContext:
    """A client that takes a self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_site(
    release: Release, folder: Path, *, port: int, upstream: int, changes: Mapping[str, str]
) -> Path:
    """The rendered site with this machine's paths and ports, and a main file around it."""
    (folder / "tls").mkdir(exist_ok=True)
    (folder / "tokens.conf").write_text(text_of(release, "/etc/nginx/ping8/tokens.conf"))
    if not (folder / "tls/privkey.pem").exists():
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=test"),
                *("-keyout", folder / "tls/privkey.pem", "-out", folder / "tls/fullchain.pem"),
            ],
            check=True,
            capture_output=True,
        )
    journal = "syslog:server=unix:/dev/log,tag=nginx,nohostname"
    replaced = {
        "/etc/nginx/ping8/": f"{folder}/",
        "/etc/ping8/tls/": f"{folder}/tls/",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{upstream};",
        f"access_log {journal}": f"access_log {folder}/access",
        f"error_log {journal}": f"error_log {folder}/error",
        **changes,
    }
    text = text_of(release, "/etc/nginx/sites-enabled/ping8.conf")
    for old, new in replaced.items():
        assert old in text, f"the site no longer says {old!r}"
        text = text.replace(old, new)
    (folder / "site.conf").write_text(text)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    text = text_of(release, NGINX_CONF)
    for old, new in {
        "user www-data;": "daemon off; user root;" if os.geteuid() == 0 else "daemon off;",
        "worker_processes auto;": "worker_processes 1;",
        "pid /run/nginx.pid;": f"pid {folder}/pid;",
        f"error_log {journal} error;": f"error_log {folder}/main;",
        "include /etc/nginx/sites-enabled/ping8.conf;": f"{temporary} include {folder}/site.conf;",
    }.items():
        assert old in text, f"the main file no longer says {old!r}"
        text = text.replace(old, new)
    main.write_text(text)
    return main


@contextlib.contextmanager
def running_nginx(
    release: Release, folder: Path, upstream: int, changes: Mapping[str, str] | None = None
) -> Iterator[Nginx]:
    """Nginx with the release's site until the block ends."""
    program = shutil.which("nginx") or "nginx"
    port = free_port()
    main = write_site(release, folder, port=port, upstream=upstream, changes=changes or {})
    process = subprocess.Popen([program, "-c", main, "-p", folder], stderr=subprocess.PIPE)
    try:
        _until_listening(port, process)
        yield Nginx(port, folder, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def _until_listening(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
    assert process.stderr is not None
    raise AssertionError(f"Nginx did not start: {process.stderr.read().decode()}")
