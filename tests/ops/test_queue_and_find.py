"""`ping8 queue` and `ping8 find`: what they ask the host, and what they tell."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import find, queue
from ops.main import build
from policy.errors import UserError

LISTED = {
    "queues": [
        {"queue": "c1:shop@gmail.com", "domain": "gmail.com", "brand": "shop", "campaign": "c1",
         "messages": 1200, "suspended": ["ada: blocked"]},
        {"queue": "news@yahoo.com", "domain": "yahoo.com", "brand": "news", "campaign": "",
         "messages": 7, "suspended": []},
    ],
    "providers": {"google": 1200, "yahoo": 7},
    "suspended": [{"id": "0123456789", "domain": "gmail.com", "reason": "ada: blocked"}],
    "bounces": [],
}  # fmt: skip
DONE = {"id": "abcdef0123456789", "queues": ["news@yahoo.com"], "messages": 7}


class Deployment:
    """A stack with an MTA host."""

    mta = "mta"


Ping8 = Callable[..., tuple[list[list[str]], Any]]


@pytest.fixture
def ping8(monkeypatch: pytest.MonkeyPatch) -> Ping8:
    """Runs a command; the verbs that the host got, and the result."""

    def run(*arguments: str, answers: dict[str, Any], stdin: str = "") -> Any:
        asked: list[list[str]] = []

        def ssh_json(host: str, verb: list[str], **_options: object) -> object:
            assert host == "mta"
            asked.append(verb)
            return json.loads(json.dumps(answers[verb[1]]))

        for module in (queue, find):
            monkeypatch.setattr(module, "ssh_json", ssh_json)
            monkeypatch.setattr(module, "read_deployment", lambda _stack: Deployment)
        result = CliRunner().invoke(build(), [*arguments, "-s", "prod"], input=stdin)
        return asked, result

    return run


def test_queues_are_listed_with_what_is_suspended(ping8: Ping8) -> None:
    _, result = ping8("queue", "list", answers={"list": LISTED})
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[0] == "1,207 messages wait in 2 queues"
    assert lines[1] == "1,200 gmail.com shop c1 suspended: ada: blocked"
    assert "suspended 01234567: domain gmail.com: ada: blocked" in lines


def test_a_part_of_the_queues_comes_as_json(ping8: Ping8) -> None:
    _, result = ping8("queue", "list", "--brand", "news", "--json", answers={"list": LISTED})
    assert [one["domain"] for one in json.loads(result.output)["queues"]] == ["yahoo.com"]


SUSPEND = ["queue", "suspend", "--domain", "yahoo.com", "--reason", "slow", "--for", "2h"]


def test_a_suspension_shows_how_much_it_is_and_asks(ping8: Ping8) -> None:
    answers = {"list": LISTED, "suspend": DONE}
    asked, result = ping8(*SUSPEND, answers=answers, stdin="n\n")
    assert "7 messages in 1 queues are held back for 2h" in result.output
    assert isinstance(result.exception, UserError)
    assert [verb[1] for verb in asked] == ["list"]
    asked, result = ping8(*SUSPEND, answers=answers, stdin="y\n")
    assert asked[1][:8] == [
        "queue", "suspend", "--domain", "yahoo.com", "--reason", "slow", "--for", "2h",
    ]  # fmt: skip
    assert asked[1][8] == "--by"
    assert "ping8 queue resume abcdef01 --stack prod" in result.output


@pytest.mark.parametrize(
    ("criteria", "why"), [([], "every queue"), (["--domain", "gmx.de"], "no queue is meant")]
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
    assert "END FOR GOOD" in result.output
    assert asked[1][-4:-2] == ["--for", "5m"]


def test_a_suspension_is_ended_by_its_id(ping8: Ping8) -> None:
    done = {"resumed": "abcdef0123456789", "was": "suspend"}
    asked, result = ping8("queue", "resume", "abcdef01", answers={"resume": done})
    assert asked[0][:4] == ["queue", "resume", "--id", "abcdef01"]
    assert result.output == "suspend abcdef01 is over\n"


STEP = {
    "time": 1_796_000_000, "type": "TransientFailure", "source": "out-2",
    "peer": "mx.example.net 192.0.2.5", "code": 451, "answer": "4.7.1 \x1b[31mlater",
    "classification": "Uncategorized", "tls": "TLSv1.3", "attempts": 0,
}  # fmt: skip
MESSAGE = {
    "id": "abc", "sender": "bounce@bounce.example.com", "recipient": "u@example.net",
    "campaign": "c1", "steps": [STEP], "over": False, "dead_letter": None,
    "waiting": {"due": "2026-12-01T10:00:00Z", "queue": "c1:shop@example.net"},
}  # fmt: skip


def test_a_message_is_followed_one_line_a_step(ping8: Ping8) -> None:
    answers = {"u@example.net": {"count": 1, "messages": [MESSAGE]}}
    asked, result = ping8("find", "u@example.net", "--from", "2026-11-01", answers=answers)
    assert asked == [["find", "u@example.net", "--from", "1793491200"]]
    assert result.output.splitlines() == [
        "abc: bounce@bounce.example.com to u@example.net, campaign c1",
        "  2026-11-30 00:53:20  TransientFailure  from out-2 to mx.example.net 192.0.2.5: "
        "451 4.7.1  [31mlater: TLSv1.3",
        "  waits in queue c1:shop@example.net; next attempt 2026-12-01T10:00:00Z",
    ]


def test_a_message_that_nobody_knows_ends_with_status_1(ping8: Ping8) -> None:
    _, result = ping8("find", "x", answers={"x": {"count": 0, "messages": []}})
    assert result.exit_code == 1
    assert "nothing in the logs" in result.output
