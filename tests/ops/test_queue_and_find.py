"""`ping8 queue` and `ping8 find`: what they ask the host, and what they tell."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import find, queue
from ops.main import build
from ops.stack import HostAccess
from policy.errors import UserError
from tests.examples import SMALL, settings_of
from tests.ops.hosts import access

LISTED = {
    "queues": [
        {"queue": "c1:shop@gmail.com", "domain": "gmail.com", "brand": "shop", "campaign": "c1",
         "provider": "google", "source": "out-2", "messages": 1200, "oldest_seconds": 7300,
         "answer": "421 4.7.28 \x1b[31mtoo fast", "answered": 1_796_000_000,
         "suspended": ["ada: blocked"]},
        {"queue": "news@gmail.com", "domain": "gmail.com", "brand": "news", "campaign": "",
         "provider": "google", "source": "out-1", "messages": 30, "oldest_seconds": 60,
         "answer": "", "answered": None, "suspended": []},
        {"queue": "news@yahoo.com", "domain": "yahoo.com", "brand": "news", "campaign": "",
         "provider": "", "source": "", "messages": 7, "oldest_seconds": None,
         "answer": "", "answered": None, "suspended": []},
    ],
    "ready": {"out-2->mx.example": 3},
    "suspended": [
        {"id": "0123456789", "domain": "gmail.com", "reason": "ada: blocked", "duration": "59m"}
    ],
    "bounces": [],
}  # fmt: skip
DONE = {"ids": ["abcdef0123456789"], "queues": ["news@yahoo.com"], "messages": 7}


class Deployment:
    """A stack with an MTA host."""

    mta_hosts = (access(),)
    settings = settings_of(SMALL)


Ping8 = Callable[..., tuple[list[list[str]], Any]]


@pytest.fixture
def ping8(monkeypatch: pytest.MonkeyPatch) -> Ping8:
    """Runs a command; the verbs that the host got, and the result."""

    def run(*arguments: str, answers: dict[str, Any], stdin: str = "") -> Any:
        asked: list[list[str]] = []

        def ssh_json(host: HostAccess, verb: list[str], **_options: object) -> object:
            assert host.name == "mta"
            asked.append(verb)
            return json.loads(json.dumps(answers[verb[1]]))

        for module in (queue, find):
            monkeypatch.setattr(module, "ssh_json", ssh_json)
            monkeypatch.setattr(module, "read_deployment", lambda _stack: Deployment)
        result = CliRunner().invoke(build(), [*arguments, "-s", "prod"], input=stdin)
        return asked, result

    return run


def test_queues_are_listed_with_age_answer_and_what_is_suspended(ping8: Ping8) -> None:
    _, result = ping8("queue", "list", answers={"list": LISTED})
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[:4] == [
        "1,237 messages in 3 queues",
        "messages oldest queue state last answer",
        "1,200 2.0 h c1:shop@gmail.com suspended 2026-11-30 00:53 421 4.7.28 ?[31mtoo fast",
        "30 60 s news@gmail.com",
    ]
    assert "being sent now, out-2->mx.example: 3" in lines
    assert "suspended 01234567: domain gmail.com: ada: blocked, 59m left" in lines


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("provider", ["1,230 2.0 h google 1 of 2 suspended", "7 not tried yet"]),
        ("brand", ["1,200 2.0 h shop suspended", "37 60 s news"]),
        ("source", ["1,200 2.0 h out-2 suspended", "30 60 s out-1", "7 not tried yet"]),
    ],
)
def test_queues_are_added_up_by_what_is_asked_for(
    ping8: Ping8, by: str, expected: list[str]
) -> None:
    _, result = ping8("queue", "list", "--by", by, answers={"list": LISTED})
    lines = [" ".join(line.split()) for line in result.output.splitlines()][2:]
    assert [line.partition(" 2026")[0] for line in lines[: len(expected)]] == expected


def test_a_part_of_the_queues_comes_as_json(ping8: Ping8) -> None:
    _, result = ping8("queue", "list", "--brand", "news", "--json", answers={"list": LISTED})
    assert [one["domain"] for one in json.loads(result.output)["queues"]] == [
        "gmail.com",
        "yahoo.com",
    ]


SUSPEND = ["queue", "suspend", "--domain", "yahoo.com", "--reason", "slow", "--for", "2h"]


def test_a_suspension_shows_how_much_it_is_and_asks(ping8: Ping8) -> None:
    answers = {"list": LISTED, "suspend": DONE}
    asked, result = ping8(*SUSPEND, answers=answers, stdin="n\n")
    assert "7 messages in 1 queues will be suspended for 2h" in result.output
    assert isinstance(result.exception, UserError)
    assert [verb[1] for verb in asked] == ["list"]
    asked, result = ping8(*SUSPEND, answers=answers, stdin="y\n")
    assert asked[1][:8] == [
        "queue", "suspend", "--domain", "yahoo.com", "--reason", "slow", "--for", "2h",
    ]  # fmt: skip
    assert asked[1][8] == "--by"
    assert "ping8 queue resume abcdef01 --stack prod" in result.output


@pytest.mark.parametrize(
    ("criteria", "why"), [([], "every queue"), (["--domain", "gmx.de"], "no queue matches")]
)
@pytest.mark.parametrize("kind", ["suspend", "bounce"])
def test_a_change_of_all_or_of_nothing_is_rejected(
    ping8: Ping8, kind: str, criteria: list[str], why: str
) -> None:
    arguments = ["queue", kind, *criteria, "--reason", "x", "--yes"]
    asked, result = ping8(*arguments, answers={"list": LISTED})
    assert why in str(result.exception)
    assert all(verb[1] == "list" for verb in asked)


def test_a_bounce_says_that_it_is_for_good(ping8: Ping8) -> None:
    arguments = ["queue", "bounce", "--brand", "news", "--reason", "wrong list", "--yes"]
    asked, result = ping8(*arguments, answers={"list": LISTED, "bounce": DONE})
    assert "BOUNCED PERMANENTLY" in result.output
    assert asked[1][-4:-2] == ["--for", "5m"]


def test_a_suspension_is_ended_by_its_id(ping8: Ping8) -> None:
    done = {"resumed": "abcdef0123456789", "was": "suspend"}
    held = {"id": "abcdef0123456789", "domain": "yahoo.com", "reason": "slow", "duration": "1h"}
    answers = {"list": {**LISTED, "suspended": [held], "bounces": []}, "resume": done}
    asked, result = ping8("queue", "resume", "abcdef01", answers=answers, stdin="n\n")
    assert "This ends:\nsuspended abcdef01: domain yahoo.com: slow, 1h left\n" in result.output
    assert [verb[1] for verb in asked] == ["list"]
    asked, result = ping8("queue", "resume", "abcdef01", "--yes", answers=answers)
    assert asked[1][:4] == ["queue", "resume", "--id", "abcdef0123456789"]
    assert "suspend abcdef01 has ended\n" in result.output
    asked, result = ping8("queue", "resume", "ff", "--yes", answers=answers)
    assert "ff: no suspension or bounce" in str(result.exception)


STEP = {
    "time": 1_796_000_000, "type": "TransientFailure", "source": "out-2",
    "peer": "mx.example.net 192.0.2.5", "code": 451, "answer": "4.7.1 \x1b[31mlater",
    "classification": "TransientFailure", "tls": "TLSv1.3", "attempts": 0,
    "refused": "400 no such campaign",
}  # fmt: skip
RECEIVED = {
    "time": 1_795_999_999, "type": "Reception", "source": None, "peer": "", "code": 250,
    "answer": "", "classification": None, "tls": None, "attempts": 0, "protocol": "HTTP",
}  # fmt: skip
MESSAGE = {
    "id": "abc", "sender": "bounce@bounce.example.com", "recipient": "u@example.net",
    "campaign": "c1", "steps": [RECEIVED, STEP], "over": False,
    "waiting": {"due": "2026-12-01T10:00:00Z", "queue": "c1:shop@example.net"},
}  # fmt: skip


def test_a_message_is_followed_one_line_a_step(ping8: Ping8) -> None:
    answers = {"u@example.net": {"count": 1, "messages": [MESSAGE]}}
    asked, result = ping8("find", "u@example.net", "--from", "2026-11-01", answers=answers)
    assert asked == [["find", "u@example.net", "--from", "1793491200"]]
    assert result.output.splitlines()[:-1] == [
        "abc: bounce@bounce.example.com to u@example.net, campaign c1",
        "  2026-11-30 00:53:19  injected by HTTP",
        "                       signed by d=example.com s=s1, as the settings are now",
        "  2026-11-30 00:53:20  TransientFailure  from out-2 to mx.example.net 192.0.2.5: "
        "451 4.7.1 ?[31mlater: TLSv1.3",
        "                       PING8 refused this event: 400 no such campaign",
        "  queued in c1:shop@example.net; next attempt 2026-12-01T10:00:00Z",
    ]
    assert "ping8 status -s prod" in result.output.splitlines()[-1]


def test_an_unknown_message_ends_with_status_1(ping8: Ping8) -> None:
    _, result = ping8("find", "x", answers={"x": {"count": 0, "messages": []}})
    assert result.exit_code == 1
    assert "nothing in the logs" in result.output
