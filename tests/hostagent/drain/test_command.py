"""`ping8-agent drain` against an admin API that answers as kumod did."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from hostagent import audit, draining
from hostagent.contract import DRAINING, POLICY, REFUSING
from hostagent.drain.command import Node, main
from hostagent.layout import Layout
from tests.hostagent.answering import Quiet, answering
from tests.hostagent.drain.test_plan import RECORDED

EMPTY: dict[str, Any] = {"message_count": {"value": 0}}


@dataclass
class Kumod:
    """`moments` are the metrics that it reports, one after the other; the last one stays."""

    moments: list[dict[str, Any]]
    liveness: bytes = b"OK"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    busy: int = 1
    url: str = ""


@pytest.fixture
def kumod() -> Iterator[Kumod]:
    state = Kumod([RECORDED["before"]])

    class Handler(Quiet, BaseHTTPRequestHandler):
        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path == "/metrics.json":
                first = state.moments.pop(0) if len(state.moments) > 1 else state.moments[0]
                self.answer(json.dumps(first).encode())
            elif self.path == "/busy":
                self.answer(
                    b"Active connections: 3\nReading: 0 Writing: %d Waiting: 2\n" % state.busy
                )
            else:
                self.answer(state.liveness)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append((self.path, body))
            self.answer(b"{}")

    with answering(Handler) as state.url:
        yield state


@pytest.fixture
def other() -> Iterator[int]:
    """The port of another node's transfer listener."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def node(kumod: Kumod, other: int, tmp_path: Path) -> Node:
    layout = Layout(tmp_path)
    for name in (DRAINING, f"{POLICY}/data/server.json"):
        layout.live(name).parent.mkdir(parents=True)
    several = {"several_nodes": {"transfer": {"address": f"10.0.0.1:{other}"}}}
    layout.live(f"{POLICY}/data/server.json").write_text(json.dumps(several))
    return Node(layout, kumod.url, kumod.url, tmp_path / "outbox", pause=lambda _: None)


@pytest.fixture
def ask(node: Node, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str, status: int = 0) -> Any:
        assert main(words, node) == status
        said = capsys.readouterr()
        return json.loads(said.out) if status == 0 else said.err

    return run


def test_a_drain_keeps_who_began_it_and_when(ask: Any, node: Node) -> None:
    first = ask("begin", "--by", "ann", "--reason", "resize")["draining"]
    again = ask("begin", "--by", "bob", "--reason", "impatience")["draining"]
    assert (first, first["by"], first["refusing"]) == (again, "ann", False)
    assert ask("show")["draining"] == first
    assert not node.layout.live(REFUSING).exists()


def test_a_node_without_a_balancer_refuses_at_once(ask: Any, node: Node) -> None:
    assert ask("begin", "--at-once")["draining"]["refusing"]
    assert node.layout.live(REFUSING).exists()


def test_a_damaged_mark_still_counts(ask: Any, node: Node) -> None:
    node.layout.live(DRAINING).write_text("{")
    assert ask("show")["draining"]["by"] == "somebody"


def test_a_step_asks_kumod_to_transfer_each_queue(ask: Any, kumod: Kumod, other: int) -> None:
    ask("begin", "--reason", "resize")
    answer = ask("step", "--to", "127.0.0.1")
    names = [f"c1:shop@d{n}.test" for n in range(5)]
    target = f"http://127.0.0.1:{other}/"
    body = {"queue_names": names, "target": target, "reason": "drain: resize"}
    assert kumod.asked == [("/api/admin/xfer/v1", body)]
    assert (answer["done"], answer["counts"]["mail"], answer["away"]) == (False, 300, [])


def test_nothing_goes_to_a_node_that_takes_no_connection(ask: Any, kumod: Kumod) -> None:
    kumod.moments = [RECORDED["the other node is away"]]
    ask("begin", "--at-once")
    answer = ask("step", "--to", "127.255.255.254")
    name = "http://10.77.0.2:8001/.xfer.kumomta.internal"
    assert [(path, body["queue_name"]) for path, body in kumod.asked] == [
        ("/api/admin/xfer/cancel/v1", name)
    ]
    assert answer["away"] == ["127.255.255.254"]


def test_steps_go_on_until_the_node_is_empty(ask: Any, kumod: Kumod) -> None:
    moments = ("before", "transferring", "events leave")
    kumod.moments = [*(RECORDED[name] for name in moments), EMPTY]
    ask("begin", "--at-once")
    answers = [ask("step", "--to", "127.0.0.1") for _ in range(4)]
    assert [answer["done"] for answer in answers] == [False, False, False, True]


def test_a_count_that_stays_though_every_queue_is_empty_does_not_hold_the_drain(
    ask: Any, kumod: Kumod
) -> None:
    kumod.moments = [RECORDED["empty, but counted"]]
    ask("begin", "--at-once")
    assert ask("step", "--to", "127.0.0.1")["done"]
    fewer = RECORDED["empty, but counted"] | {"message_count": {"value": 3}}
    kumod.moments = [RECORDED["empty, but counted"], fewer]
    assert not ask("step", "--to", "127.0.0.1")["done"], "something still moves"


def test_requests_in_flight_and_segments_of_the_outbox_hold_it(
    ask: Any, kumod: Kumod, node: Node
) -> None:
    kumod.moments, kumod.busy = [EMPTY], 2
    ask("begin", "--at-once")
    assert ask("step")["waits"] == "requests in flight"
    kumod.busy = 1
    node.outbox.mkdir()
    (node.outbox / "20261129-120000").touch()
    assert ask("step")["waits"] == "PING8 to take events"


def test_a_kumod_that_restarts_is_waited_for(
    ask: Any, kumod: Kumod, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    kumod.liveness, kumod.moments = b"waiting for spool startup", [EMPTY]
    ask("begin", "--at-once")
    assert ask("step")["waits"] == "kumod to open its spool"
    away = Node(node.layout, "http://127.0.0.1:9", node.nginx, node.outbox)
    assert main(["step"], away) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["done"], answer["counts"]) == (False, None)
    assert "Connection refused" in answer["waits"]


def test_taking_it_back_cancels_transfers_and_removes_the_marks(
    ask: Any, kumod: Kumod, node: Node
) -> None:
    kumod.moments = [RECORDED["the other node is away"]]
    ask("begin", "--at-once")
    assert ask("back")["draining"] is None
    assert [path for path, _ in kumod.asked] == ["/api/admin/xfer/cancel/v1"]
    assert not node.layout.live(DRAINING).exists()
    assert not node.layout.live(REFUSING).exists()


def test_a_drain_is_taken_back_while_kumod_is_away(
    ask: Any, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    ask("begin", "--at-once")
    assert main(["back"], Node(node.layout, "http://127.0.0.1:9", node.nginx, node.outbox)) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["draining"], answer["counts"]) == (None, None)
    assert "Connection refused" in answer["waits"]


def test_a_node_that_does_not_drain_takes_no_step(ask: Any, kumod: Kumod) -> None:
    answer = ask("step")
    assert (answer["draining"], answer["done"], kumod.asked) == (None, False, [])


def test_a_policy_for_one_node_has_nowhere_to_transfer_to(ask: Any, node: Node) -> None:
    node.layout.live(f"{POLICY}/data/server.json").write_text("{}")
    ask("begin")
    assert "no listener for transfers" in ask("step", "--to", "10.0.0.2", status=1)


def test_the_audit_log_has_who_began_a_drain_and_who_took_it_back() -> None:
    assert [audit.is_audited("drain", [verb]) for verb in ("begin", "step", "show", "back")] == [
        True,
        False,
        False,
        True,
    ]


def test_marks_survive_since_they_are_files(node: Node) -> None:
    draining.begin(node.layout, "ann", "resize")
    draining.refuse(node.layout)
    assert draining.read(Layout(node.layout.root)) == draining.Mark(
        draining.begin(node.layout, "", "").since, "ann", "resize", refusing=True
    )
