"""PING8's webhook receiver: what it writes down and how it fails on request."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.world.webhook import (
    Behaviour,
    Mode,
    Receiver,
    Server,
    behave,
    behaviour_of,
    expect_token,
)

TOKEN = "right-token"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    server = Server(("127.0.0.1", 0), Receiver(tmp_path), None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    expect_token(tmp_path, TOKEN)
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(port: int, token: str = TOKEN, timeout: float = 5) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers = {"X-PING8-Kumo-Token": token, "Content-Type": "application/json", "X-Other": "kept"}
    try:
        connection.request("POST", "/api/kumo/events", '{"type": "Delivery"}', headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def calls(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "webhook.jsonl").read_text().splitlines()]


def test_a_call_is_written_down_without_its_token(port: int, tmp_path: Path) -> None:
    assert post(port) == (200, {"ok": True})
    (call,) = calls(tmp_path)
    assert call["body"] == '{"type": "Delivery"}'
    assert call["headers"]["X-Other"] == "kept"
    assert call["token_matched"] is True
    assert call["taken"] is True
    everything = "".join(path.read_text() for path in tmp_path.iterdir())
    assert TOKEN not in everything


def test_a_wrong_token_is_refused_and_not_counted_as_taken(port: int, tmp_path: Path) -> None:
    status, _ = post(port, "wrong-token")
    assert status == 401
    assert [(c["token_matched"], c["taken"]) for c in calls(tmp_path)] == [(False, False)]
    assert "wrong-token" not in (tmp_path / "webhook.jsonl").read_text()


def test_it_fails_with_a_status_for_so_many_calls_and_then_recovers(
    port: int, tmp_path: Path
) -> None:
    behave(tmp_path, Behaviour(mode=Mode.STATUS, status=503, calls=2))
    assert [post(port)[0] for _ in range(3)] == [503, 503, 200]
    assert [call["taken"] for call in calls(tmp_path)] == [False, False, True]
    assert behaviour_of(tmp_path) == Behaviour()


def test_a_false_success_says_200_and_takes_nothing(port: int, tmp_path: Path) -> None:
    behave(tmp_path, Behaviour(mode=Mode.FALSE_SUCCESS))
    assert post(port) == (200, {"ok": False, "error": "not stored"})
    assert calls(tmp_path)[0]["taken"] is False


def test_a_reset_breaks_the_connection(port: int, tmp_path: Path) -> None:
    behave(tmp_path, Behaviour(mode=Mode.RESET))
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        post(port)
    assert calls(tmp_path)[0]["answer"] == "reset"


def test_a_partial_answer_ends_before_its_promised_length(port: int, tmp_path: Path) -> None:
    behave(tmp_path, Behaviour(mode=Mode.PARTIAL))
    with pytest.raises(http.client.IncompleteRead):
        post(port)


def test_a_hang_never_answers(port: int, tmp_path: Path) -> None:
    behave(tmp_path, Behaviour(mode=Mode.HANG))
    with pytest.raises(TimeoutError):
        post(port, timeout=0.2)
    assert calls(tmp_path)[0]["answer"] == "hang"
