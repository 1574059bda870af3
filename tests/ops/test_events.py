"""`ping8 events`: what it asks the MTA host for, and what it says to the operator."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import events
from ops.main import build
from ops.stack import HostAccess
from policy.errors import UserError
from tests.ops.hosts import access

NOW = datetime.datetime(2026, 12, 1, 12, 0, tzinfo=datetime.UTC).timestamp()


class Deployment:
    """A stack with an MTA host."""

    mta_hosts = (access(),)


@pytest.fixture
def ping8(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[str], Any]]:
    """Runs the command; the verb that the host got, and the result."""

    def run(*arguments: str, answer: object) -> tuple[list[str], Any]:
        asked: list[list[str]] = []

        def ssh_json(host: HostAccess, verb: list[str], **_options: object) -> object:
            assert host.name == "mta"
            asked.append(verb)
            if verb[-2:] == ["--limit", "0"]:
                return {"source": "dead letters", "count": 9, "events": []}
            return answer

        monkeypatch.setattr(events, "ssh_json", ssh_json)
        monkeypatch.setattr(events, "read_deployment", lambda _stack: Deployment)
        result = CliRunner().invoke(build(), ["events", *arguments, "--stack", "prod"])
        return (asked[-1] if asked else []), result

    return run


def test_dead_letters_are_listed_with_their_answers(ping8: Callable[..., Any]) -> None:
    event = {
        "event_id": "0123456789abcdef",
        "type": "Bounce",
        "time": 1_796_000_000,
        "recipient": "u@example.net",
        "id": "1",
        "headers": {"X-PING8-Campaign-Id": "[bold]c[/]"},
        "answer": "400 [no] such campaign",
    }
    verb, result = ping8("list", answer={"source": "dead letters", "count": 3, "events": [event]})
    assert verb == ["events", "list", "--limit", "100"]
    assert "[bold]c[/]" in result.output, "what others wrote is no markup"
    assert "3 in the dead letters, 1 shown" in result.output


def test_a_replay_from_the_logs_says_from_when_for_which_type_and_domain(
    ping8: Callable[..., Any],
) -> None:
    verb, result = ping8(
        "replay", "--logs", "--from", "2026-12-01T10:00Z", "--to", "2026-12-01T11:00+01:00",
        "--type", "Bounce", "--type", "OOB", "--domain", "example.net",
        "--recipient", "U@example.net", "--yes",
        answer={"replayed": 7, "failed": 0, "answer": "", "stopped": False},
    )  # fmt: skip
    assert verb == [
        "events", "replay", "--logs", "--from", "1796119200", "--to", "1796119200",
        "--type", "Bounce", "--type", "OOB", "--domain", "example.net",
        "--recipient", "U@example.net",
    ]  # fmt: skip
    assert (result.exit_code, result.stdout) == (0, "7 events sent\n")
    assert "9 events of the dead letters will be sent to PING8 again" in result.stderr


def test_a_replay_asks_first_and_sends_nothing_without_a_yes(ping8: Callable[..., Any]) -> None:
    verb, result = ping8("replay", answer={})
    assert verb == ["events", "list", "--limit", "0"]
    assert "nothing was changed" in str(result.exception)


def test_a_replay_of_all_logs_needs_a_beginning(ping8: Callable[..., Any]) -> None:
    verb, result = ping8("replay", "--logs", answer={})
    assert verb == []
    assert isinstance(result.exception, UserError)


def test_events_that_ping8_does_not_accept_make_the_command_fail(ping8: Callable[..., Any]) -> None:
    _, result = ping8(
        "replay",
        "--yes",
        answer={"replayed": 1, "failed": 5, "answer": "503 away", "stopped": True},
    )
    assert result.exit_code == 1
    assert "5 not accepted: 503 away; stopped there" in result.output


def test_messages_with_an_unknown_outcome_are_listed_and_make_the_command_fail(
    ping8: Callable[..., Any],
) -> None:
    message = {
        "id": "0a1b",
        "time": 1_796_000_000,
        "recipient": "u@example.net",
        "headers": {"X-PING8-Message-Id": "[m1]"},
    }
    found = {"received": 9, "settled": 7, "waiting": 1, "unknown": 1, "messages": [message]}
    verb, result = ping8("reconcile", answer=found)
    assert verb == ["events", "reconcile"]
    assert result.exit_code == 1
    assert "[m1]" in result.output
    assert (
        "9 received: 7 have a final event, 1 still queued, 1 with an unknown outcome"
        in result.output
    )


def test_a_reconciliation_without_a_finding_is_a_success(ping8: Callable[..., Any]) -> None:
    found = {"received": 9, "settled": 9, "waiting": 0, "unknown": 0, "messages": []}
    verb, result = ping8("reconcile", "--from", "2026-12-01T10:00Z", answer=found)
    assert verb == ["events", "reconcile", "--from", "1796119200"]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("text", "seconds_ago"),
    [("2h", 7200), ("90s", 90), ("1d", 86_400), ("2026-12-01T11:00", 3600)],
)
def test_a_moment_is_a_time_or_a_duration_ago(text: str, seconds_ago: int) -> None:
    assert events.moment(text, NOW) == NOW - seconds_ago


@pytest.mark.parametrize("text", ["yesterday", "2w", "", "2026-13-01"])
def test_a_moment_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write a time"):
        events.moment(text, NOW)
