"""What is between the log hook and PING8: no event follows a redirect, and the rest passes."""

import http.client
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from hostagent.events.forwarder import Forwarder
from hostagent.events.webhook import Webhook
from tests.hostagent.events.receiver import Receiver

TOKEN = "forwarder-token-of-the-tests-0123456789"
SENT = {"Content-Type": "application/json", "X-PING8-Kumo-Token": TOKEN, "X-PING8-Event-Id": "e1"}
EVENT = b'{"type":"Delivery","provider_name":null}\n'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def forwarder(receiver: Receiver) -> Iterator[Forwarder]:
    environment = {"PING8_WEBHOOK_TOKEN": TOKEN, "PING8_WEBHOOK_URL": receiver.url}
    forwarder = Forwarder(lambda: Webhook(environment, {"timeout": "1s"}), port=0)
    forwarder.start()
    yield forwarder
    forwarder.shutdown()
    forwarder.server_close()


@pytest.fixture
def kumod(forwarder: Forwarder) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", forwarder.server_port, timeout=20)
    yield connection
    connection.close()


def posted(kumod: http.client.HTTPConnection) -> tuple[int, bytes]:
    kumod.request("POST", "/", EVENT, {**SENT, "Cookie": "no"})
    answer = kumod.getresponse()
    return answer.status, answer.read()


def test_the_event_passes_byte_for_byte_and_so_does_the_answer(
    kumod: http.client.HTTPConnection, receiver: Receiver
) -> None:
    for status in (200, 204, 401, 413, 429, 500):
        text = b"" if status == 204 else b'{"success": false}'
        receiver.answer = lambda _body, status=status, text=text: (status, text)  # type: ignore[misc]
        assert posted(kumod) == (status, text)
    headers, body = receiver.posts[0]
    assert body == EVENT
    assert SENT.items() <= headers.items()
    assert "Cookie" not in headers


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_redirect_is_an_error_that_is_tried_again(
    kumod: http.client.HTTPConnection, receiver: Receiver, status: int, elsewhere: bool
) -> None:
    other = Receiver()
    receiver.headers = {"Location": (other if elsewhere else receiver).url}
    receiver.answer = lambda _body: (status, b"")
    assert posted(kumod) == (502, f"{status}: events do not follow redirects".encode())
    assert not (other.posts or other.gets or receiver.gets)
    assert len(receiver.posts) == 1
    other.close()


def test_no_answer_is_a_502_and_the_next_event_passes(
    kumod: http.client.HTTPConnection, receiver: Receiver
) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> bool:
        handler.connection.shutdown(socket.SHUT_RDWR)
        return True

    def silent(handler: BaseHTTPRequestHandler) -> bool:
        handler.rfile.read(1)
        return True

    for receiver.behave in (broken, silent):
        assert posted(kumod)[0] == 502
    receiver.behave = lambda _handler: False
    assert posted(kumod) == (200, b"ok")


def test_half_an_event_goes_nowhere(forwarder: Forwarder, receiver: Receiver) -> None:
    """kumod was killed while it sent."""
    with socket.create_connection(("127.0.0.1", forwarder.server_port), timeout=20) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + EVENT)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert receiver.posts == []


def test_while_no_name_can_be_resolved_events_wait() -> None:
    environment = {
        "PING8_WEBHOOK_TOKEN": TOKEN,
        "PING8_WEBHOOK_URL": "https://app.ping8.invalid/events",
    }
    forwarder = Forwarder(lambda: Webhook(environment, {}), port=0)
    forwarder.start()
    kumod = http.client.HTTPConnection("127.0.0.1", forwarder.server_port, timeout=60)
    assert posted(kumod)[0] == 502
    kumod.close()
    forwarder.shutdown()
    forwarder.server_close()
