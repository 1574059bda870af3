"""`ping8 send`: injects as PING8 does, and follows what becomes of it."""

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr

from ops import send
from ops.doctor.resolver import Resolver
from ops.local import LocalStack
from policy.errors import UserError
from tests.examples import SMALL
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.tls_server import HOST, Authority

NO_SERVER = "127.0.0.1:1"
TOKEN = "the-injection-token-of-this-test"
DEPLOYED = deployment_of(SMALL)
NAME = DEPLOYED.settings.injection_host


@dataclass
class Nginx:
    """The injection host; it remembers what came."""

    answer: tuple[int, dict[str, Any]] = (200, {"success_count": 1, "fail_count": 0})
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nginx]:
    state = Nginx()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.headers = {**dict(self.headers.items()), "path": self.path}
            state.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = state.answer
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    authority = Authority.make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    local = LocalStack(
        stack="small",
        pulumi="",
        project="",
        environment={},
        ssh_config="",
        operator_key="",
        authorities=authority.ca_file,
        resolver="",
    )
    monkeypatch.setattr(send, "local_stack", lambda _stack: local)
    monkeypatch.setattr(send, "Resolver", lambda _servers: Resolver((NO_SERVER,), seconds=0.1))
    monkeypatch.setattr(send, "_PORT", server.server_port)
    monkeypatch.setattr(send, "secret_output", lambda _stack, name: SecretStr(TOKEN))
    mta = replace(DEPLOYED.mta, address="127.0.0.1")
    deployed = replace(DEPLOYED, hosts={**DEPLOYED.hosts, "mta-1": mta})
    monkeypatch.setattr(send, "read_deployment", lambda _stack: deployed)
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, Any]]]:
    """What the host knows of the message at each question; the last for all that follow."""
    answers: list[list[dict[str, Any]]] = []

    def ssh_json(_host: object, verb: list[str]) -> Any:
        assert verb[0] == "find" and verb[1].startswith("ping8-send-")
        messages = answers.pop(0) if len(answers) > 1 else answers[0]
        return {"count": len(messages), "messages": messages}

    monkeypatch.setattr(send, "ssh_json", ssh_json)
    return answers


def message(*kinds: str) -> dict[str, Any]:
    step = {
        "time": 1_796_000_000, "source": DEPLOYED.settings.sources[0].name, "peer": "mx.example",
        "code": 250, "answer": "ok", "classification": None, "tls": "TLSv1.3", "attempts": 0,
    }  # fmt: skip
    return {
        "id": "abc", "sender": f"b@{DEPLOYED.settings.domains[0].bounce_domain}",
        "recipient": "me@example.net", "campaign": None, "waiting": None,
        "steps": [{**step, "type": kind} for kind in kinds], "over": kinds[-1:] == ("Delivery",),
    }  # fmt: skip


def run(**changes: Any) -> None:
    options = {
        "sender": f"news@{DEPLOYED.settings.domains[0].name}",
        "recipient": "me@example.net",
        "seconds": 20,
        "as_json": False,
        "pause": lambda _seconds: None,
    }
    send.send("small", **{**options, **changes})


def test_a_message_goes_through_the_public_url_and_is_followed(
    nginx: Nginx, found: list[list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert HOST == NAME
    found += [[], [message("Reception")], [message("Reception", "Delivery")]]
    run()
    assert nginx.headers["path"] == "/api/inject/v1"
    assert nginx.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "X-PING8-Campaign-Id: ping8-send-" in nginx.body["content"]
    said = capsys.readouterr()
    assert "Delivery  from" in said.out
    source = DEPLOYED.egress[DEPLOYED.settings.sources[0].name]
    assert f"  address  {source.public}\n" in said.out
    assert "  TLS      TLSv1.3\n" in said.out
    assert TOKEN not in said.out + said.err


def test_a_message_that_is_not_delivered_in_time_ends_with_status_1(
    nginx: Nginx, found: list[list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    found += [[message("Reception", "TransientFailure")]]
    with pytest.raises(typer.Exit) as ended:
        run()
    assert ended.value.exit_code == 1
    assert "later: ping8 find ping8-send-" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"error": f"wrong token {TOKEN}"}),
        (503, {}),
        (200, {"success_count": 0, "fail_count": 1, "errors": ["no"]}),
    ],
)
def test_an_injection_that_fails_is_one_line_without_the_token(
    nginx: Nginx, found: list[list[dict[str, Any]]], answer: tuple[int, dict[str, Any]]
) -> None:
    nginx.answer = answer
    with pytest.raises(UserError, match=f"answers {answer[0]}") as refused:
        run()
    assert TOKEN not in str(refused.value)


def test_a_sender_that_is_not_ours_is_rejected_before_anything_is_sent(nginx: Nginx) -> None:
    with pytest.raises(UserError, match=r"--from elsewhere\.example: not known; "):
        run(sender="news@elsewhere.example")
    assert nginx.body == {}


def test_a_host_that_is_not_trusted_is_one_line(
    nginx: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "local_stack", lambda _stack: None)
    with pytest.raises(UserError, match="certificate verify failed"):
        run()


def test_several_nodes_are_reached_through_the_balancers_name(
    nginx: Nginx, found: list[list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = {
        name: replace(DEPLOYED.mta, name=name, address="192.0.2.1") for name in ("mta-1", "mta-2")
    }
    deployed = replace(DEPLOYED, hosts={**DEPLOYED.hosts, **hosts})
    monkeypatch.setattr(send, "read_deployment", lambda _stack: deployed)
    names = {NAME: ["127.0.0.2", "127.0.0.1"]}

    class Names:
        def __init__(self, _servers: object) -> None: ...

        def addresses(self, name: str) -> list[str]:
            return names[name]

    monkeypatch.setattr(send, "Resolver", Names)
    monkeypatch.setattr(send, "seen", lambda *_: {})
    found += [[message("Reception", "Delivery")]]
    run()
    assert nginx.headers["path"] == "/api/inject/v1"
    names[NAME] = []
    with pytest.raises(UserError, match="DNS has no address"):
        run()
