"""Each answer that the injection host gives, from a real Nginx."""

import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from policy.render import render_mta
from policy.render.example import example_addresses
from tests.examples import SMALL, mta_of, settings_of, stand_in_secrets
from tests.policy.render.real_nginx import (
    INJECT,
    LIVENESS,
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


def good(_: BaseHTTPRequestHandler) -> Answer:
    return GOOD


def die(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(good).running() as running:
        yield running


@pytest.fixture
def nginx(upstream: Upstream, tmp_path: Path) -> Iterator[Nginx]:
    with running_nginx(mta_of(SMALL), tmp_path, upstream.port) as running:
        yield running


def test_a_good_token_reaches_kumod_with_its_body_whole(nginx: Nginx, upstream: Upstream) -> None:
    body = json.dumps({"content": "x" * 3_000_000}).encode()
    answer = nginx.ask(body=body)
    assert (answer.status, answer.body) == (200, GOOD.body)
    assert upstream.seen[0].body == body


def test_kumod_never_sees_the_token_nor_a_forwarded_address(
    nginx: Nginx, upstream: Upstream
) -> None:
    forged = {
        "X-Forwarded-For": "192.0.2.1",
        "Forwarded": "for=192.0.2.1",
        "X-Real-IP": "192.0.2.1",
    }
    nginx.ask(headers=forged)
    headers = upstream.seen[0].headers
    assert not {"authorization", "x-forwarded-for", "forwarded", "x-real-ip"} & {
        name.lower() for name in headers
    }
    assert TOKEN not in str(headers)


def test_the_request_id_of_the_client_is_passed_on_and_another_is_made_when_it_is_unfit(
    nginx: Nginx, upstream: Upstream
) -> None:
    given = nginx.ask(headers={"X-Request-Id": "order-2026-000117"})
    made = nginx.ask(headers={"X-Request-Id": 'x" injected'})
    assert given.headers["X-Request-Id"] == "order-2026-000117"
    assert [seen.headers["X-Request-Id"] for seen in upstream.seen] == [
        given.headers["X-Request-Id"],
        made.headers["X-Request-Id"],
    ]
    assert len(made.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer x{TOKEN}",
        f"Bearer {TOKEN},{TOKEN}",
    ],
)
def test_anything_but_a_valid_token_gets_401_and_a_challenge(
    nginx: Nginx, upstream: Upstream, authorization: str | None
) -> None:
    answer = nginx.ask(token=None, authorization=authorization)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="injection"'
    assert "error" in json.loads(answer.body)
    assert upstream.seen == []


def test_the_name_of_the_scheme_may_be_written_in_any_case(nginx: Nginx) -> None:
    assert nginx.ask(authorization=f"bearer {TOKEN}").status == 200
    assert nginx.ask(authorization=f"BEARER {TOKEN}").status == 200


def test_characters_of_a_token_that_mean_something_to_a_pattern_mean_themselves(
    upstream: Upstream, tmp_path: Path
) -> None:
    settings = settings_of(SMALL)
    token = "a.b+c/d=e~f-0123456789"
    secrets = stand_in_secrets(settings, injection_token=token)
    release = render_mta(settings, "mta-1", example_addresses(settings), secrets)
    with running_nginx(release, tmp_path, upstream.port) as nginx:
        assert nginx.ask(token=token).status == 200
        assert nginx.ask(token=token.replace(".", "x")).status == 401
        assert nginx.ask(token=token.replace("b+", "bb")).status == 401


def test_kumod_gets_one_path_whatever_was_asked_for(nginx: Nginx, upstream: Upstream) -> None:
    nginx.ask(path=f"{INJECT}?a=b&deferred_spool=true")
    nginx.ask(path="/api//inject/./v1?x")
    nginx.ask("GET", f"{LIVENESS}?a=b")
    assert [seen.path for seen in upstream.seen] == [INJECT, INJECT, LIVENESS]


def test_while_a_token_is_rotated_the_old_and_the_new_one_are_valid(
    upstream: Upstream, tmp_path: Path
) -> None:
    settings = settings_of(SMALL)
    secrets = stand_in_secrets(settings, previous_injection_token="the-token-before-0123456789")
    release = render_mta(settings, "mta-1", example_addresses(settings), secrets)
    with running_nginx(release, tmp_path, upstream.port) as nginx:
        assert nginx.ask().status == 200
        assert nginx.ask(token="the-token-before-0123456789").status == 200
        assert nginx.ask(token="another-token-0123456789").status == 401
        assert '"token":"previous"' in nginx.log("access")


def test_failed_tokens_are_limited_by_address_and_good_ones_do_not_suffer(
    upstream: Upstream, tmp_path: Path
) -> None:
    # However slow this machine is, no allowance comes back meanwhile.
    slower = {"zone=ping8_strangers:10m rate=1r/s": "zone=ping8_strangers:10m rate=1r/m"}
    with running_nginx(mta_of(SMALL), tmp_path, upstream.port, slower) as nginx:
        answers = [nginx.ask(token="wrong") for _ in range(25)]
        assert answers[0].status == 401
        assert answers[-1].status == 429
        assert answers[-1].headers["Retry-After"] == "1"
        assert nginx.ask().status == 200


def test_a_good_token_is_limited_to_the_rate_of_the_settings(
    upstream: Upstream, tmp_path: Path
) -> None:
    release = mta_of(SMALL, reception={"requestsPerSecond": 1})
    slower = {"zone=ping8_tokens:1m rate=1r/s": "zone=ping8_tokens:1m rate=1r/m"}
    with running_nginx(release, tmp_path, upstream.port, slower) as nginx:
        answers = [nginx.ask() for _ in range(6)]
        assert answers[0].status == 200
        assert answers[-1].status == 429
        assert answers[-1].headers["Retry-After"] == "1"
        assert "error" in json.loads(answers[-1].body)
        assert nginx.ask(token="wrong").status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", INJECT),
        ("PUT", INJECT),
        ("OPTIONS", INJECT),
        ("POST", f"{INJECT}/"),
        ("POST", INJECT.upper()),
        ("POST", LIVENESS),
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/metrics.json"),
        ("POST", "/api/admin/bounce/v1"),
        ("GET", "/token"),
        ("POST", "/api/inject/v1/../../admin/bounce/v1"),
    ],
)
def test_every_other_path_and_method_is_not_found(
    nginx: Nginx, upstream: Upstream, method: str, path: str
) -> None:
    answer = nginx.ask(method, path)
    assert answer.status == 404
    assert upstream.seen == []


def test_liveness_needs_no_token_and_shows_what_kumod_says(
    nginx: Nginx, upstream: Upstream
) -> None:
    assert nginx.ask("GET", LIVENESS, token=None).status == 200
    upstream.behave = lambda _: Answer(503, {}, b"disk is low")
    answer = nginx.ask("GET", LIVENESS, token=None)
    assert (answer.status, answer.body) == (503, b"disk is low")


def test_a_request_over_the_limit_gets_413_with_and_without_a_length(
    upstream: Upstream, tmp_path: Path
) -> None:
    release = mta_of(SMALL, reception={"maxMessageMib": 1})
    with running_nginx(release, tmp_path, upstream.port) as nginx:
        assert nginx.ask(body=b"x" * 1024**2).status == 200
        over = nginx.ask(body=b"x" * (1024**2 + 1))
        assert over.status == 413
        assert "1 MiB" in json.loads(over.body)["error"]
        chunked = nginx.ask(body=(b"x" * 65536 for _ in range(17)))
        assert chunked.status == 413
        assert len(upstream.seen) == 1


def test_while_kumod_is_away_the_client_is_asked_to_retry(tmp_path: Path) -> None:
    with running_nginx(mta_of(SMALL), tmp_path, free_port()) as nginx:
        for answer in (nginx.ask(), nginx.ask("GET", LIVENESS, token=None)):
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "10"
            assert "try again" in json.loads(answer.body)["error"]


def test_without_a_token_the_answer_is_401_also_while_kumod_is_away(tmp_path: Path) -> None:
    with running_nginx(mta_of(SMALL), tmp_path, free_port()) as nginx:
        assert nginx.ask(token=None).status == 401


def test_a_kumod_that_hangs_may_have_accepted_the_mail_so_no_retry_is_suggested(
    upstream: Upstream, tmp_path: Path
) -> None:
    release = threading.Event()

    def hang(_: BaseHTTPRequestHandler) -> None:
        release.wait(10)

    upstream.behave = hang
    changes = {"proxy_read_timeout 120s": "proxy_read_timeout 100ms"}
    with running_nginx(mta_of(SMALL), tmp_path, upstream.port, changes) as nginx:
        answer = nginx.ask()
    release.set()
    assert answer.status == 504
    assert "Retry-After" not in answer.headers
    assert "outcome is not known" in json.loads(answer.body)["error"]


def test_a_flood_for_what_is_not_there_is_limited_and_leaves_no_line(
    upstream: Upstream, tmp_path: Path
) -> None:
    # However slow this machine is, no allowance comes back meanwhile.
    slower = {"zone=ping8_liveness:10m rate=5r/s": "zone=ping8_liveness:10m rate=1r/m"}
    with running_nginx(mta_of(SMALL), tmp_path, upstream.port, slower) as nginx:
        answers = [nginx.ask("GET", "/panicked%20at", token=None) for _ in range(25)]
        assert (answers[0].status, answers[-1].status) == (404, 429)
        assert "panicked" not in nginx.log("access") + nginx.log("error")


def test_a_kumod_that_dies_before_it_answers_may_have_taken_the_mail(
    nginx: Nginx, upstream: Upstream
) -> None:
    upstream.behave = die
    answer = nginx.ask()
    assert (answer.status, "Retry-After" in answer.headers) == (504, False)
    assert "outcome is not known" in json.loads(answer.body)["error"]
    assert len(upstream.seen) == 1, "a request that kumod may have taken is not sent again"


@pytest.mark.parametrize("status", [200, 400, 422, 500])
def test_what_kumod_answers_itself_is_passed_on(
    nginx: Nginx, upstream: Upstream, status: int
) -> None:
    upstream.behave = lambda _: Answer(status, {"Content-Type": "text/plain"}, b"kumod says so")
    answer = nginx.ask()
    assert (answer.status, answer.body) == (status, b"kumod says so")


def test_no_log_holds_a_token_a_query_or_a_body(nginx: Nginx, upstream: Upstream) -> None:
    nginx.ask(body=b'{"content":"private words"}', headers={"X-Request-Id": "order-2026-000117"})
    nginx.ask(token="wrong-token-of-somebody")
    nginx.ask("GET", f"/elsewhere?token={TOKEN}")
    upstream.behave = die
    nginx.ask()
    logs = nginx.log("access") + nginx.log("error") + nginx.log("main")
    for word in (TOKEN, "wrong-token", "private words", "Bearer"):
        assert word not in logs
    first = json.loads(nginx.log("access").splitlines()[0])
    assert first["request_id"] == "order-2026-000117"
    assert (first["status"], first["kumod_status"], first["token"]) == (200, "200", "current")


def test_nginx_does_not_say_its_version(nginx: Nginx) -> None:
    assert nginx.ask("GET", "/").headers["Server"] == "nginx"


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_only_tls_1_2_and_1_3_are_accepted(
    nginx: Nginx, version: ssl.TLSVersion, taken: bool
) -> None:
    context = trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = version
    connection = nginx.connect(context)
    try:
        if taken:
            connection.request("GET", LIVENESS)
            assert connection.getresponse().status == 200
        else:
            with pytest.raises(ssl.SSLError):
                connection.connect()
    finally:
        connection.close()


def test_a_reload_drops_no_request(nginx: Nginx, upstream: Upstream) -> None:
    arrived, release = threading.Event(), threading.Event()

    def wait(_: BaseHTTPRequestHandler) -> Answer:
        arrived.set()
        release.wait(10)
        return GOOD

    upstream.behave = wait
    answers: list[Answer] = []
    request = threading.Thread(target=lambda: answers.append(nginx.ask()))
    request.start()
    assert arrived.wait(10)
    nginx.reload()
    upstream.behave = good
    assert nginx.ask().status == 200
    release.set()
    request.join(10)
    assert [answer.status for answer in answers] == [200]
