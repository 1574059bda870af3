"""Strangers at ports 443, 80 and 25 during a push: nothing changes for mail or push."""

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from policy.limits import SMTP_SESSIONS
from sandbox.run import Sandbox
from tests.sandbox.e2e.deploying import deploy, live_release, on, settings

pytestmark = pytest.mark.sandbox

ROUNDS = 100
REPORT = b"\x1b]52;c;aGFja2Vk\x07 panicked at " * 20
REQUESTS = (
    b"GET /panicked%20at HTTP/1.1\r\nHost: mta\r\nConnection: close\r\n\r\n",
    b"POST /api/inject/v1 HTTP/1.1\r\nHost: mta\r\nAuthorization: Bearer wrong\r\n"
    b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"POST /api/inject/v1 HTTP/1.1\r\nHost: mta\r\nContent-Length: 9\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://127.0.0.1:8000/metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    b"GET /\x1b[2J HTTP/1.1\r\nHost: \x1b]0;x\x07\r\n\r\n",
    b"\x16\x03\x01" + b"\xff" * 400,
)


def https(address: str, request: bytes) -> bytes:
    """What a stranger gets from port 443."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, 443), 5) as plain,
        context.wrap_socket(plain) as stream,
    ):
        stream.sendall(request)
        return stream.recv(4096)


def smtp(address: str, to: str) -> bytes:
    """A forged report in one packet after the next, without waiting for an answer."""
    body = (
        b"From: x@y.example\r\nContent-Type: multipart/report; report-type=delivery-status;"
        b" boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Final-Recipient: rfc822; " + REPORT + b"@z.example\r\nAction: failed\r\n"
        b"Diagnostic-Code: smtp; 550 " + REPORT + b"\r\n\r\n--b--\r\n.\r\n"
    )
    with socket.create_connection((address, 25), 5) as stream:
        stream.sendall(
            b"EHLO " + os.urandom(6).hex().encode() + b"\r\nMAIL FROM:<>\r\n"
            b"RCPT TO:<" + to.encode() + b">\r\nDATA\r\n" + body + b"QUIT\r\n"
        )
        answer = b""
        while part := stream.recv(4096):
            answer += part
        return answer


@contextlib.contextmanager
def meanwhile(*calls: Callable[[], object]) -> Iterator[None]:
    """Each again and again, at most so often, until the block has ended."""
    done = threading.Event()

    def again(call: Callable[[], object]) -> None:
        for _ in range(ROUNDS):
            if done.wait(0.05):
                return
            with contextlib.suppress(OSError):
                call()

    threads = [threading.Thread(target=again, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_strangers_change_nothing_during_a_push(sandbox_up: Sandbox) -> None:
    address = sandbox_up.deployment.mta.address
    before = live_release(sandbox_up)
    attacks = [lambda request=request: https(address, request) for request in REQUESTS]
    attacks.append(lambda: smtp(address, "x@bounce.ping8.test"))
    attacks.append(lambda: smtp(address, "victim@elsewhere.example"))
    shaping = {"overrides": {"accept.example": {"connection_limit": 4, "mx_rollup": False}}}
    with settings(sandbox_up, {"shaping": shaping}), meanwhile(*attacks):
        assert deploy(sandbox_up) == {"mail-release-mta-push": "update"}
        assert live_release(sandbox_up) != before
        assert len(sandbox_up.send("reader@accept.example")) == 10
    journal = on(sandbox_up, "mta", "journalctl", "--since=-10min", "--output=cat", "--all")
    # kumod's own lines are coloured; a stranger's sequence never comes through.
    assert "]52;" not in journal
    assert on(sandbox_up, "mta", "systemctl", "--failed", "--no-legend", "--plain") == ""


def test_one_peer_holds_few_sessions_at_port_25(sandbox_up: Sandbox) -> None:
    address = sandbox_up.deployment.mta.address
    with contextlib.ExitStack() as stack:
        taken = 0
        for _ in range(SMTP_SESSIONS + 5):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection((address, 25), 5))
                taken += 1
        assert taken <= SMTP_SESSIONS
        assert len(sandbox_up.send("reader@accept.example")) == 10


def test_port_80_is_closed(sandbox_up: Sandbox) -> None:
    with pytest.raises(OSError):
        socket.create_connection((sandbox_up.deployment.mta.address, 80), 2)
