"""The stand-in does in every recorded case what the real kumod did."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from standins.kumod import FakeClock, HttpRequest, HttpResponse, Kumod, SmtpAttempt, SmtpReply
from standins.kumod.headers import parse_headers, split_message

CONFORMANCE = Path(__file__).parent / "conformance"
EXPECTED: dict[str, dict[str, Any]] = json.loads((CONFORMANCE / "expected.json").read_text())
VALIDATED = [name for name, case in EXPECTED.items() if case["mode"] == "validate"]
INJECTED = [name for name, case in EXPECTED.items() if case["mode"] == "inject"]
#: The sinks' ports tell the fake peer what to answer.
SINKS = {
    10251: SmtpReply(code=250, content="ok"),
    10252: SmtpReply(code=550, content="no such user"),
    10253: SmtpReply(code=451, content="try later"),
}
#: Cases whose counts depend on the moments at which messages were tried.
TIMED = {"i14_hook_nil", "i30_defer"}


def _pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    made: dict[str, str] = {}
    for name, key in (
        ("RSA", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        ("ED", ed25519.Ed25519PrivateKey.generate()),
    ):
        path = folder / f"{name}.pem"
        path.write_text(_pem(key))
        made[name] = str(path)
    return made


class Case:
    """One case in a folder of its own, with its placeholders filled in."""

    def __init__(self, name: str, folder: Path, keys: dict[str, str]) -> None:
        self.folder = folder
        self.values = {
            "SPOOL": f"{folder}/spool",
            "LOGS": f"{folder}/logs",
            "TMP": str(folder),
            "HTTP": "18000",
            "HOOK": "18001",
            "SINK": "10251",
            "SINK550": "10252",
            "SINK451": "10253",
            **keys,
        }
        text = (CONFORMANCE / "cases" / f"{name}.lua").read_text()
        for placeholder, value in self.values.items():
            text = text.replace(f"@{placeholder}@", value)
        self.policy = folder / "policy.lua"
        self.policy.write_text(text)

    def plain(self, text: str) -> str:
        """What kumod said, with the placeholders put back."""
        text = text.replace(str(self.folder), "TMP").replace(":18000", ":HTTP")
        for name in ("RSA", "ED"):
            text = text.replace(self.values[name], f"@{name}@")
        return text


@pytest.fixture
def folder() -> Iterator[Path]:
    """Lua shortens the names of long chunks, so the folder's name must be short."""
    with tempfile.TemporaryDirectory(prefix="k", dir=tempfile.gettempdir()) as name:
        yield Path(name)


def _said_the_same(expected: str, said: str) -> bool:
    """The recorded text may be cut short, and lists the fields of a table in any order."""
    words, json_mark, table = expected.partition(", while processing ")
    said_words, _, said_table = said.partition(", while processing ")
    if not json_mark:
        return said.startswith(expected)
    if words != said_words:
        return False
    try:
        return bool(json.loads(table) == json.loads(said_table))
    except json.JSONDecodeError:
        return set(re.findall(r'"\w+":', table)) <= set(re.findall(r'"\w+":', said_table))


@pytest.mark.parametrize("name", VALIDATED)
def test_validation_says_what_kumod_says(name: str, folder: Path, keys: dict[str, str]) -> None:
    case = Case(name, folder, keys)
    result = Kumod(case.policy, env={}).validate()
    expected = EXPECTED[name]
    assert result.exit == expected["exit"], result
    said = case.plain(result.says)
    assert _said_the_same(expected.get("says", ""), said), said


def _request(index: int) -> dict[str, Any]:
    return {
        "envelope_sender": "a@d.test",
        "recipients": [{"email": f"u{index}@r.test"}],
        "content": f"From: a@d.test\r\nTo: u{index}@r.test\r\nSubject: hello\r\n"
        f"X-PING8-Campaign-Id: c{index}\r\n\r\nhello\r\n",
        "template_dialect": "Static",
    }


def _key(record: dict[str, Any]) -> tuple[Any, ...]:
    response = record["response"]
    return (
        record["type"],
        record["queue"],
        response["code"],
        response["content"].split("\n")[0][:90],
        record["egress_pool"],
        record["egress_source"],
        record["num_attempts"],
    )


def _expected_log(case: dict[str, Any]) -> Counter[tuple[Any, ...]]:
    names = ("type", "queue", "code", "text", "pool", "source", "attempts")
    return Counter({tuple(entry[n] for n in names): entry["count"] for entry in case["log"]})


@pytest.mark.parametrize("name", INJECTED)
def test_messages_fare_as_with_kumod(name: str, folder: Path, keys: dict[str, str]) -> None:
    expected = EXPECTED[name]
    case = Case(name, folder, keys)
    kumod = Kumod(
        case.policy,
        env={},
        clock=FakeClock(),
        http=lambda _request: HttpResponse(status=200, body=b"ok"),
        smtp=lambda attempt: SINKS[attempt.port],
    )
    started = kumod.start()
    assert (started.started, started.running) == (expected["starts"], expected["still_runs"])
    if not started.started:
        return
    first = None
    for index in range(3):
        answer = kumod.inject(_request(index))
        first = first or answer
        kumod.advance(0.1)
    kumod.advance(14 if name == "i30_defer" else 7)

    status, body = expected["inject"][0]
    said = case.plain(json.dumps(first, separators=(",", ":")))
    assert status == 200
    assert said.startswith(body)
    log = Counter(_key(record) for record in kumod.records)
    if name in TIMED:
        _compare_leniently(log, _expected_log(expected))
    else:
        assert log == _expected_log(expected)
        assert len(kumod.http_requests) == expected["webhook_posts"]
        assert len(kumod.delivered_messages) == expected["delivered"]
    if "message_headers" in expected:
        block, _ = split_message(kumod.delivered_messages[0].data)
        assert [header for header, _ in parse_headers(block)] == expected["message_headers"]
    if "first_post" in expected:
        _check_post(kumod.http_requests, expected["first_post"])


def _compare_leniently(log: Counter[tuple[Any, ...]], expected: Counter[tuple[Any, ...]]) -> None:
    """The same kinds of record with the same answers; how many depends on timing."""

    def kinds(records: Counter[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        return {(kind, queue, code) for kind, queue, code, *_ in records}

    assert kinds(log) == kinds(expected)
    for kind in ("Reception", "Delivery", "Expiration"):
        assert sum(n for key, n in log.items() if key[0] == kind) == sum(
            n for key, n in expected.items() if key[0] == kind
        )


def _check_post(posts: list[HttpRequest], expected: dict[str, Any]) -> None:
    headers = dict(posts[0].headers)
    assert {name: headers.get(name) for name in expected["headers"]} == expected["headers"]
    bodies = [json.loads(post.body) for post in posts]
    optional = {"session_id"}
    assert set(bodies[0]) - optional == set(expected["body_keys"]) - optional
    assert sorted({body["type"] for body in bodies}) == expected["types"]
    assert bodies[0]["headers"] == expected["record_headers"]


def test_the_peer_sees_the_source_that_the_policy_chose(folder: Path, keys: dict[str, str]) -> None:
    case = Case("i03_handlers", folder, keys)
    seen: list[SmtpAttempt] = []

    def peer(attempt: SmtpAttempt) -> SmtpReply:
        seen.append(attempt)
        return SmtpReply(code=250, content="ok")

    kumod = Kumod(case.policy, env={}, smtp=peer)
    kumod.start()
    kumod.inject(_request(0))
    kumod.run()
    assert [attempt.source for attempt in seen] == ["proxy-default"]
