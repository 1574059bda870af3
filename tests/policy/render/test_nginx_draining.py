"""The balancer's health endpoint, and a draining node's answers, from a real Nginx."""

import http.client
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hostagent.contract import DRAINING, REFUSING
from tests.examples import SMALL, mta_of
from tests.policy.render.real_nginx import (
    INJECT,
    TOKEN,
    Answer,
    Nginx,
    Upstream,
    free_port,
    running_nginx,
    trusting,
)

pytestmark = [
    pytest.mark.nginx,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx on this machine"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine"),
]

GOOD = Answer(200, {"Content-Type": "application/json"}, b'{"success_count":1}')
OUTSIDE = "127.0.0.2"
"""The source of requests that are not the host's own."""


def good(_: BaseHTTPRequestHandler) -> Answer:
    return GOOD


@dataclass(frozen=True)
class Node:
    """A node behind a balancer, with the marks of a drain."""

    nginx: Nginx
    upstream: Upstream
    draining: Path
    refusing: Path

    def connect(self, source: str = OUTSIDE) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1",
            self.nginx.port,
            context=trusting(),
            timeout=10,
            source_address=(source, 0),
        )

    def health(self, method: str = "GET") -> int:
        return self.nginx.ask(method, "/healthz", token=None).status


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    marks = tmp_path / "draining.json", tmp_path / "refusing"
    changes = {DRAINING: str(marks[0]), REFUSING: str(marks[1])}
    with (
        Upstream(good).running() as upstream,
        running_nginx(mta_of(SMALL), tmp_path, upstream.port, changes) as nginx,
    ):
        yield Node(nginx, upstream, *marks)


def inject(connection: http.client.HTTPSConnection, token: str | None = TOKEN) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("POST", INJECT, b"{}", headers)
    answer = connection.getresponse()
    return Answer(answer.status, dict(answer.getheaders()), answer.read())


@pytest.mark.parametrize("said", ["waiting for spool startup", "load shedding", "shutting down"])
def test_a_node_is_healthy_if_kumod_accepts_mail(node: Node, said: str) -> None:
    assert (node.health(), node.health("POST")) == (200, 404)
    assert {seen.path for seen in node.upstream.seen} == {"/api/check-liveness/v1"}
    node.upstream.behave = lambda _: Answer(503, {}, said.encode())
    assert node.health() == 503


def test_a_node_without_kumod_is_unhealthy(tmp_path: Path) -> None:
    with running_nginx(mta_of(SMALL), tmp_path, free_port()) as nginx:
        assert nginx.ask("GET", "/healthz", token=None).status == 503


def test_health_leaves_no_line_in_the_log(node: Node) -> None:
    node.health()
    node.draining.touch()
    node.health()
    assert "healthz" not in node.nginx.log("access")


def test_while_a_node_leaves_the_balancer_each_answer_ends_its_connection(node: Node) -> None:
    kept = node.connect()
    assert "close" not in inject(kept).headers["Connection"]
    node.draining.touch()
    assert node.health() == 503
    moved = inject(kept)
    assert (moved.status, moved.headers["Connection"]) == (200, "close")
    assert [seen.path for seen in node.upstream.seen if seen.body] == [INJECT, INJECT]


def test_a_leaving_node_still_wants_the_token(node: Node) -> None:
    node.draining.touch()
    assert inject(node.connect(), "another-token-0123456789").status == 401


def test_a_draining_node_refuses_injection_and_says_when_to_come_back(node: Node) -> None:
    kept = node.connect()
    inject(kept)
    node.draining.touch()
    node.refusing.touch()
    refused = inject(kept)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
    assert refused.headers["Connection"] == "close"
    assert len(node.upstream.seen) == 1
    node.refusing.unlink()
    node.draining.unlink()
    assert (inject(node.connect()).status, node.health()) == (200, 200)


def test_the_hosts_own_requests_still_reach_kumod_so_that_a_push_can_check_it(node: Node) -> None:
    node.draining.touch()
    node.refusing.touch()
    assert inject(node.connect("127.0.0.1")).status == 200


def test_a_request_in_flight_is_answered_and_counted(node: Node) -> None:
    arrived, release = threading.Event(), threading.Event()

    def wait(_: BaseHTTPRequestHandler) -> Answer:
        arrived.set()
        release.wait(10)
        return GOOD

    node.upstream.behave = wait
    answers: list[Answer] = []
    request = threading.Thread(target=lambda: answers.append(inject(node.connect())))
    request.start()
    assert arrived.wait(10)
    node.draining.touch()
    node.refusing.touch()
    busy = node.nginx.ask("GET", "/busy", token=None).body.decode()
    assert re.search(r"Reading: 0 Writing: 2 ", busy), "it, and the question"
    release.set()
    request.join(10)
    assert [answer.status for answer in answers] == [200]


def test_only_the_host_itself_sees_how_busy_it_is(node: Node) -> None:
    stranger = node.connect()
    stranger.request("GET", "/busy")
    assert stranger.getresponse().status == 404
