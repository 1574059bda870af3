"""What the agent finds out for `ping8 doctor`: mail exchangers, proxies, keys and the webhook."""

import base64
import contextlib
import http.server
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from hostagent import dial, public_keys
from hostagent.__main__ import _OTHERS
from hostagent.events import probe
from tests.ops.doctor.tls_server import Authority

Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(talk: Talk) -> Iterator[int]:
    """Talks to each that connects to the port it yields."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                talk(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield int(listening.server_address[1])
        finally:
            listening.shutdown()
            thread.join()


def exchanger(ehlo: bytes, heard: list[bytes] | None = None) -> Talk:
    """A mail exchanger that answers EHLO so."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 mx.example.net ESMTP\r\n")
        line = connection.recv(1000)
        if heard is not None:
            heard.extend([line, str(connection.getpeername()[0]).encode()])
        connection.sendall(ehlo)
        connection.recv(1000)
        connection.sendall(b"221 bye\r\n")

    return talk


def dialled(talk: Talk) -> dict[str, Any]:
    with server(talk) as port:
        return dial.dial("127.0.0.1", port, "127.0.0.9", "out1.mail.example.com")


GMAIL = (
    b"250-mx.google.com at your service, [203.0.113.5]\r\n250-SIZE 157286400\r\n250 SMTPUTF8\r\n"
)
EXIM = b"250-mx.example.net Hello out1.mail.example.com [203.0.113.5]\r\n250 HELP\r\n"


@pytest.mark.parametrize("answer", [GMAIL, EXIM])
def test_an_exchangers_answer_reports_the_address_that_it_sees(answer: bytes) -> None:
    found = dialled(exchanger(answer))
    assert found["connected"] and found["ehlo_accepted"]
    assert found["seen_address"] == "203.0.113.5"
    assert found["greeting"] == "220 mx.example.net ESMTP"
    assert "\n" not in found["ehlo_answer"]


def test_the_exchanger_meets_the_sources_address_and_ehlo_name() -> None:
    heard: list[bytes] = []
    dialled(exchanger(EXIM, heard))
    assert heard == [b"ehlo out1.mail.example.com\r\n", b"127.0.0.9"]


def test_a_refused_ehlo_name_is_reported_as_such() -> None:
    found = dialled(exchanger(b"550 5.7.1 no PTR for you [999.1.1.1]\r\n"))
    assert found["connected"] and not found["ehlo_accepted"]
    assert found["ehlo_answer"].startswith("550 ")
    assert found["seen_address"] == ""


def test_a_port_without_an_answer_is_reported_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = dial.dial("127.0.0.1", port, "127.0.0.1", "out1")
    assert (found["connected"], "refused" in found["error"]) == (False, True)


def test_a_name_without_an_address_is_no_closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = dial.dial("mx.gone.example", 25, "127.0.0.1", "out1")
    assert (found["connected"], found["resolved"]) == (False, False)
    assert "Name or service not known" in found["error"]


def socks(answer: bytes) -> dict[str, Any]:
    def talk(connection: socket.socket) -> None:
        assert connection.recv(10) == b"\x05\x02\x00\x02"
        connection.sendall(answer)

    with server(talk) as port:
        return dial.socks("127.0.0.1", port)


def test_a_socks_proxy_is_known_by_its_answer() -> None:
    assert socks(b"\x05\x00")["said"] == "SOCKS5, asks for no password"
    assert socks(b"\x05\x02")["said"] == "SOCKS5, asks for a password"


@pytest.mark.parametrize("answer", [b"\x05\xff", b"HT", b""])
def test_what_is_no_socks_proxy_is_not_taken_for_one(answer: bytes) -> None:
    found = socks(answer)
    assert not found["connected"]
    assert found["error"].startswith("no SOCKS5 answer")


@pytest.mark.parametrize(
    ("said", "connected"),
    [
        (b"-NOAUTH Authentication required.\r\n", True),
        (b"+PONG\r\n", True),
        (b"HTTP/1.1 400 Bad Request\r\n", False),
        (b"", False),
    ],
)
def test_the_server_of_shared_limits_is_known_by_its_answer_over_tls(
    said: bytes, connected: bool, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    serves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serves.load_cert_chain(authority.issue(host="localhost"))

    def talk(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), serves.wrap_socket(plain, server_side=True) as tls:
            assert tls.recv(10) == b"PING\r\n"
            tls.sendall(said)

    with server(talk) as port:
        trusting = ssl.create_default_context(cafile=authority.ca_file)
        assert dial.limits("localhost", port, trusting)["connected"] == connected
    with server(talk) as port:
        assert "certificate" in dial.limits("localhost", port)["error"]


# Keys -------------------------------------------------------------------------


def test_public_keys_are_shown_and_private_ones_are_not(tmp_path: Path) -> None:
    keys: dict[str, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey] = {
        "s1": rsa.generate_private_key(65537, 2048),
        "s1-ed": ed25519.Ed25519PrivateKey.generate(),
    }
    folder = tmp_path / "example.com"
    folder.mkdir()
    for selector, key in keys.items():
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / f"{selector}.key").write_bytes(pem)
    (folder / "broken.key").write_text("no key")
    assert public_keys.public_keys(tmp_path) == {
        f"example.com/{selector}": base64.b64encode(
            key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).decode()
        for selector, key in keys.items()
    }


# Webhook ----------------------------------------------------------------------

TOKEN = "webhook-token-of-a-test-0123456789"


@contextlib.contextmanager
def ping8(status: int, body: bytes = b"{}") -> Iterator[tuple[str, list[Any]]]:
    """PING8's endpoint: its URL, and the calls that it got."""
    calls: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((self.path, self.headers["X-PING8-Kumo-Token"], json.loads(text)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/events?tenant=a", calls
        finally:
            listening.shutdown()
            thread.join()


def probed(url: str, settings: dict[str, Any] | None) -> dict[str, Any]:
    environment = {"PING8_WEBHOOK_URL": url, "PING8_WEBHOOK_TOKEN": TOKEN}
    return probe.probe(environment, settings)


def test_a_look_at_the_webhook_sends_nothing() -> None:
    with ping8(200) as (url, calls):
        found = probed(url, None)
    assert found == {"url": url, "reachable": True, "error": "", "status": None}
    assert calls == []


def test_a_test_event_is_marked_and_bears_the_token() -> None:
    with ping8(200) as (url, calls):
        found = probed(url, {"batch_size": 1})
    assert (found["status"], found["taken"]) == (200, True)
    ((path, token, event),) = calls
    assert (path, token) == ("/events?tenant=a", TOKEN)
    assert (event["type"], event["ping8_test"]) == ("Test", True)
    assert TOKEN not in json.dumps(found)


def test_a_test_event_is_an_array_where_events_come_in_batches() -> None:
    with ping8(200) as (url, calls):
        probed(url, {"batch_size": 50})
    assert [event["type"] for event in calls[0][2]] == ["Test"]


@pytest.mark.parametrize(
    ("status", "body", "settings"),
    [(401, b"{}", {}), (503, b"{}", {}), (200, b'{"ok": false}', {"failure_field": "ok"})],
)
def test_what_the_policy_would_send_again_is_not_taken(
    status: int, body: bytes, settings: dict[str, Any]
) -> None:
    with ping8(status, body) as (url, _):
        found = probed(url, settings)
    assert (found["status"], found["taken"]) == (status, False)


@pytest.mark.parametrize("url", ["", "no address"])
def test_an_endpoint_without_a_host_is_not_reachable(url: str) -> None:
    assert probed(url, None)["error"] == "PING8_WEBHOOK_URL has no host"


def test_a_webhook_that_nobody_serves_is_reported_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for scheme in ("http", "https"):
        found = probed(f"{scheme}://127.0.0.1:{port}/", {})
        assert not found["reachable"]
        assert "refused" in found["error"]


def test_a_host_without_an_environment_file_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(probe, "ENVIRONMENT", tmp_path / "none")
    assert probe.run([]) == 1
    assert capsys.readouterr().err.startswith("ping8: [Errno 2]")


def test_the_agent_knows_these_verbs() -> None:
    assert {"dial", "public-keys", "webhook"} <= set(_OTHERS)
