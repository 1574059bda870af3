"""What a host is asked before a release counts as healthy, and what is told when it is not."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import pytest

import policy.release
from hostagent.contract import POLICY
from hostagent.push import health
from hostagent.release.model import Check, Manifest, parse_manifest
from policy.push import manifest_of
from standins.kumod.proxy_server import Proxy, SocksListener
from tests.hostagent.metrics.station import greeter
from tests.hostagent.world import TOKEN, World, file, release

TOKENS = "/etc/nginx/ping8/authorization"
MADE = release(file(TOKENS, f"Bearer {TOKEN}\n", secret=True))


class Answers(http.server.BaseHTTPRequestHandler):
    """Nginx before a kumod that has no room on its spool, or a good one."""

    token_matters = True
    posted: ClassVar[list[str]] = []
    known_answer = 400

    def do_GET(self) -> None:
        self._answer(503, b"disk is\n too full")

    def do_POST(self) -> None:
        self.posted.append(self.path)
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        good = known or not self.token_matters
        self._answer(self.known_answer if good else 401, b"<html>")

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def manifest(world: World) -> Manifest:
    world.push(MADE)
    return parse_manifest(manifest_of(MADE))


def reasons(world: World, manifest: Manifest, check: Check) -> list[str]:
    """Why the check's tests do not hold."""
    return [why for test in health.tests_of(world.host(), manifest, check) if (why := test())]


def test_a_kumod_that_is_not_alive_is_reported_with_its_output(
    world: World, manifest: Manifest, url: str
) -> None:
    check = Check(kind="liveness", target=f"{url}/api/check-liveness/v1", token_file=None)
    (why,) = reasons(world, manifest, check)
    assert why.endswith("answers 503 instead of 200 (disk is too full)")


def test_a_changed_policy_is_used_at_once(world: World, url: str) -> None:
    check = policy.release.Check(kind="liveness", target=f"{url}/api/check-liveness/v1")
    Answers.posted.clear()
    first = release(file(f"{POLICY}/data/brands.json", "{}"))
    health.take_up_policy(parse_manifest(manifest_of(replace(first, checks=(check,)))))
    assert Answers.posted == ["/api/admin/bump-config-epoch"]


@pytest.mark.parametrize("changed", [f"{POLICY}/data/brands.json", "/etc/other"])
def test_only_a_changed_policy_is_taken_up(
    world: World, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.push(release(file(changed, "{}")))
    taken: list[str] = []
    monkeypatch.setattr(health, "take_up_policy", lambda manifest: taken.append(manifest.id))
    second = release(file(changed, '{"a": 1}'))
    world.push(second)
    assert taken == ([second.id] if changed.startswith(POLICY) else [])


def test_an_injection_path_that_knows_its_token_is_well(
    world: World, manifest: Manifest, url: str
) -> None:
    check = Check(kind="injection", target=f"{url}/api/inject/v1", token_file=TOKENS)
    assert reasons(world, manifest, check) == []


@pytest.mark.parametrize("code", [403, 500, 503])
def test_an_injection_path_that_refuses_its_token_or_fails_is_not_well(
    world: World, manifest: Manifest, url: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(Answers, "known_answer", code)
    check = Check(kind="injection", target=f"{url}/api/inject/v1", token_file=TOKENS)
    (why,) = reasons(world, manifest, check)
    assert f"with the token answers {code} instead of not 401" in why


def test_an_injection_path_that_requires_no_token_is_not_healthy(
    world: World, manifest: Manifest, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "token_matters", False)
    check = Check(kind="injection", target=f"{url}/api/inject/v1", token_file=TOKENS)
    (why,) = reasons(world, manifest, check)
    assert why.endswith("answers 400 instead of 401")


@pytest.mark.parametrize("kind", ["socks5", "banner"])
def test_a_server_that_takes_no_connection_is_reported(
    world: World, manifest: Manifest, kind: Literal["socks5", "banner"]
) -> None:
    check = Check(kind=kind, target="127.0.0.1:1", token_file=None)
    (why,) = reasons(world, manifest, check)
    assert "127.0.0.1:1 does not greet" in why


@pytest.mark.parametrize(
    ("kind", "says", "good"),
    [
        ("socks5", b"\5\0", True),
        ("socks5", b"\5\xff", True),  # it asks for a password
        ("socks5", b"HTTP/1.1 400", False),
        ("socks5", b"", False),
        ("banner", b"220 mta.example.com ESMTP\r\n", True),
        ("banner", b"421 4.3.2 too many connections\r\n", True),
        ("banner", b"\5\0\5\0", False),
        ("banner", b"", False),
    ],
)
def test_a_server_is_well_when_it_greets(
    world: World, manifest: Manifest, kind: Literal["socks5", "banner"], says: bytes, good: bool
) -> None:
    with greeter(says) as target:
        found = reasons(world, manifest, Check(kind=kind, target=target, token_file=None))
    assert (found == []) == good, found


def test_a_listener_that_no_longer_accepts_is_not_healthy(
    world: World, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel still takes the connection into its queue, so to dial the port is not enough."""
    monkeypatch.setattr(health, "_EACH", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        for kind in ("socks5", "banner"):
            (why,) = reasons(world, manifest, Check(kind=kind, target=target, token_file=None))
            assert "does not greet (timed out)" in why


def test_the_proxy_counts_a_look_as_completed_not_as_failed() -> None:
    proxy = Proxy()
    with SocksListener(proxy, {"listen": "127.0.0.1:0"}) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert health.socks5(f"127.0.0.1:{server.server_address[1]}") is None
        while proxy.active.total():
            time.sleep(0.01)
        server.shutdown()
    assert {name: counts.total() for name, counts in proxy.counters.items()} == {
        "proxy_connections_accepted_total": 1,
        "proxy_connections_completed_total": 1,
    }
