"""`ping8-agent queue` against an admin API that answers as kumod does."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import zstandard

from hostagent import queues
from tests.hostagent.answering import Quiet, answering

WAITING = {
    "c1:shop@gmail.com": 40,
    "c2:shop@gmail.com": 2,
    "c1:news@yahoo.com": 7,
    "example.net": 1,
    "ping8.log-hook": 900,
}


NOW = int(time.time())


def id_of(seconds: float) -> str:
    """A spool id of that time: a UUID of version 1."""
    ticks = int(seconds * 1e7) + 0x01B21DD213814000
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF | 0x1000
    return f"{low:08x}{middle:04x}{high:04x}" + "0" * 16


@dataclass
class Kumod:
    """The admin API as it was tried on kumod: it checks little, and forgets nothing here."""

    suspend: list[dict[str, Any]] = field(default_factory=list)
    bounce: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def metrics(self) -> dict[str, Any]:
        return {
            "scheduled_count": {"type": "gauge", "value": {"queue": WAITING}},
            "ready_count": {
                "type": "gauge",
                "value": {"service": {"smtp_client": 3, "smtp_client:out-2->mx.example": 3}},
            },
        }


@pytest.fixture
def kumod() -> Iterator[Kumod]:
    state = Kumod()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def answer(self, status: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def kind(self) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = getattr(state, self.path.split("/")[3])
            return found

        def body(self) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return found

        def do_GET(self) -> None:
            if self.path == "/metrics.json":
                self.answer(200, state.metrics())
            elif "/inspect-sched-q/v1?queue_name=c1%3Ashop%40gmail.com&" in self.path:
                messages = [
                    {"id": id_of(NOW - age), "message": {"due": f"2026-11-28T1{age}:00:00Z"}}
                    for age in (3, 8)
                ]
                self.answer(200, {"messages": messages})
            elif "/inspect-sched-q/" in self.path:
                self.answer(404, "no such queue")
            else:
                self.answer(200, self.kind())

        def do_POST(self) -> None:
            body = self.body()
            if "reason" not in body:
                self.answer(422, "missing field `reason`")
                return
            self.kind().append({**body, "id": str(uuid.uuid4())})
            self.answer(200, {"id": self.kind()[-1]["id"], "bounced": {}, "total_bounced": 0})

        def do_DELETE(self) -> None:
            wanted = self.body()["id"]
            kept = [one for one in self.kind() if one["id"] != wanted]
            found = len(kept) < len(self.kind())
            self.kind()[:] = kept
            self.answer(200 if found else 404, {})

    with answering(Handler) as state.url:
        yield state


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    return tmp_path / "log" / "changes.jsonl"


def attempt(queue: str, seconds_ago: int, content: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "TransientFailure",
        "queue": queue,
        "timestamp": NOW - seconds_ago,
        "event_time": NOW - seconds_ago,
        "response": {"code": 421, "content": content},
        "egress_source": "out-2",
        "site": "out-2->mx.gmail@smtp_client",
        **more,
    }


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two segments; in the older one lies an answer that is not the last."""
    folder = tmp_path / "logs"
    folder.mkdir()
    held = "KumoMTA internal: scheduled queue is suspended: ada: blocked"
    segments = {
        1200: [attempt("c1:shop@gmail.com", 1100, "old")],
        600: [
            attempt("c1:shop@gmail.com", 500, "too fast"),
            attempt("c1:shop@gmail.com", 400, held, egress_source=None),
            attempt("c1:news@yahoo.com", 300, "later", provider_name="yahoo"),
            {"type": "Delivery", "queue": "example.net", "timestamp": NOW, "event_time": NOW},
        ],
    }
    for age, rows in segments.items():
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(NOW - age))
        lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        (folder / name).write_bytes(zstandard.compress(lines))
    return folder


class Refused(Exception):
    """The agent's one line."""


@pytest.fixture
def run(kumod: Kumod, changes: Path, logs: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def one(*arguments: str) -> Any:
        status = queues.main(arguments, kumod.url, changes, logs)
        said = capsys.readouterr()
        if status:
            assert said.err.count("\n") == 1 and said.err.startswith("ping8: ")
            raise Refused(said.err)
        return json.loads(said.out)

    return one


def test_queues_are_listed_by_size_without_our_own(run: Any) -> None:
    found = run("list")
    assert [(q["messages"], q["brand"], q["domain"]) for q in found["queues"]] == [
        (40, "shop", "gmail.com"),
        (7, "news", "yahoo.com"),
        (2, "shop", "gmail.com"),
        (1, "", "example.net"),
    ]
    assert found["ready"] == {"out-2->mx.example": 3}


def test_a_queue_has_the_age_of_its_mail_and_what_the_receiver_said_last(run: Any) -> None:
    gmail, yahoo, *rest = run("list")["queues"]
    assert 8 <= gmail["oldest_seconds"] <= 8 + time.time() - NOW
    assert gmail["next"] == "2026-11-28T13:00:00Z"
    assert (gmail["provider"], gmail["source"]) == ("mx.gmail", "out-2")
    assert (gmail["answer"], gmail["answered"]) == ("421 too fast", NOW - 500)
    assert (yahoo["provider"], yahoo["oldest_seconds"]) == ("yahoo", None)
    assert {one["answer"] for one in rest} == {""}


def test_a_provider_is_suspended_by_its_domains(run: Any, kumod: Kumod) -> None:
    done = run("suspend", "--provider", "yahoo", "--reason", "blocked", "--for", "1h")
    assert [one["domain"] for one in kumod.suspend] == ["yahoo.com"]
    assert (len(done["ids"]), done["messages"]) == (1, 7)
    with pytest.raises(Refused, match="no queue's last answer came from provider aol"):
        run("bounce", "--provider", "aol", "--reason", "x", "--for", "1h")
    assert kumod.bounce == []


def test_a_suspension_takes_what_is_meant_and_is_recorded(
    run: Any, kumod: Kumod, changes: Path
) -> None:
    how = ["--domain", "gmail.com", "--brand", "shop", "--reason", "blocked", "--for", "2h"]
    done = run("suspend", *how, "--by", "ada")
    assert (done["messages"], len(done["queues"])) == (42, 2)
    (asked,) = kumod.suspend
    assert {k: asked[k] for k in ("domain", "tenant", "reason", "duration")} == {
        "domain": "gmail.com",
        "tenant": "shop",
        "reason": "ada: blocked",
        "duration": "2h",
    }
    assert "campaign" not in asked
    assert json.loads(changes.read_text())["reason"] == "blocked"
    listed = run("list")
    held = {q["queue"] for q in listed["queues"] if q["suspended"]}
    assert held == {"c1:shop@gmail.com", "c2:shop@gmail.com"}
    assert listed["changes"][0]["by"] == "ada"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--reason", "x", "--for", "1h"], "without criteria"),
        (["--domain", "gmial.com", "--reason", "x", "--for", "1h"], "no queue has"),
        (["--domain", "ping8.log-hook", "--reason", "x", "--for", "1h"], "no queue has"),
        (["--domain", "gmail.com", "--for", "1h"], "needs a reason"),
        (["--domain", "gmail.com", "--reason", "x"], "no duration"),
        (["--domain", "gmail.com", "--reason", "x", "--for", "0h"], "too long"),
        (["--domain", "gmail.com", "--reason", "x", "--for", "8d"], "too long"),
        (["--domain", "", "--reason", "x", "--for", "1h"], "without criteria"),
    ],
)
@pytest.mark.parametrize("kind", ["suspend", "bounce"])
def test_what_would_stop_too_much_or_nothing_is_refused(
    run: Any, kumod: Kumod, changes: Path, kind: str, arguments: list[str], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        run(kind, *arguments)
    assert kumod.suspend == kumod.bounce == []
    assert not changes.exists()


def test_a_suspension_and_a_bounce_end_by_the_start_of_their_id(run: Any, kumod: Kumod) -> None:
    for kind in ("suspend", "bounce"):
        done = run(kind, "--campaign", "c1", "--reason", "x", "--for", "5m")
        assert run("resume", "--id", done["ids"][0][:8])["was"] == kind
    assert kumod.suspend == kumod.bounce == []
    with pytest.raises(Refused, match="list them first"):
        run("resume", "--id", "")


def test_a_kumod_that_does_not_answer_is_one_line(
    changes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert queues.main(["list"], "http://127.0.0.1:9", changes) == 1
    assert capsys.readouterr().err.startswith("ping8: http://127.0.0.1:9/metrics.json: ")


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ("c:t@d.example", ("c", "t", "d.example")),
        ("t@d.example", ("", "t", "d.example")),
        ("d.example", ("", "", "d.example")),
        ("c:t@d.example!route.example", ("c", "t", "d.example")),
    ],
)
def test_the_parts_of_a_queues_name(queue: str, expected: tuple[str, str, str]) -> None:
    assert queues.parts(queue) == expected
