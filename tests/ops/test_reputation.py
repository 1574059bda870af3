"""`ping8 reputation` and its section in `ping8 status`."""

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from ops import reputation, status
from ops.main import build
from ops.stack import Deployment, Egress, HostAccess
from policy.errors import UserError
from policy.metrics import load
from policy.settings import Settings
from tests.examples import SMALL, settings_of
from tests.ops.hosts import access

SETTINGS: Settings = settings_of(SMALL)
GMAIL = "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail \u202e\x1b[2J"
LINK = "https://support.google.com/mail/?p=UnsolicitedRateLimitError"


DEPLOYMENT = Deployment(
    stack="prod",
    settings=SETTINGS,
    hosts={"mta": access(), "proxy-1": access("proxy-1")},
    egress={
        "out-1": Egress(
            name="out-1",
            proxy="proxy-1",
            ehlo="out-1.mail.example.com",
            public="198.51.100.7",
            private="10.8.1.7",
        )
    },
)


def refused(provider: str = "google", source: str = "out-1", **changes: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "source": source,
        "first": 1_796_000_000,
        "last": 1_796_003_600,
        "for_good": 12,
        "for_now": 4040,
        "messages": ["m1"],
        "open": True,
        "words": GMAIL,
        "link": LINK,
        "server": "gmail-smtp-in.l.google.com.",
        "acknowledged": None,
    } | changes


NOTE = {"by": "ann", "reason": "asked Google", "at": 1_796_000_000, "until": 1_796_086_400}


def text(found: Any) -> str:
    made = Console(width=300, record=True, file=io.StringIO())
    made.print(found)
    return made.export_text()


def test_a_refusal_is_shown_with_words_page_and_what_to_do() -> None:
    said = text(reputation.shown([refused()], DEPLOYMENT))
    assert "critical  google refuses out-1 (198.51.100.7, out-1.mail.example.com)" in said
    assert (
        "12 permanent and 4,040 temporary refusals, 2026-11-30 00:53 to 2026-11-30 01:53 UTC"
        in said
    )
    assert "4.7.28 Gmail has detected an unusual rate" in said
    assert LINK in said
    assert "ping8 queue suspend --provider google --reason TEXT --stack prod" in said
    assert "https://postmaster.google.com/" in said
    wanted = "ping8 reputation acknowledge --provider google --source out-1 --reason TEXT"
    assert wanted in said
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_commands_to_paste_are_whole_lines_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = Console(width=40, file=io.StringIO())
    monkeypatch.setattr(reputation, "console", lambda: narrow)
    monkeypatch.setattr(reputation, "read_deployment", lambda _stack: DEPLOYMENT)
    monkeypatch.setattr(reputation, "ssh_json", lambda *_: {"refusals": [refused()]})
    with contextlib.suppress(typer.Exit):
        reputation.show("prod", as_json=False)
    assert isinstance(narrow.file, io.StringIO)
    wanted = "ping8 queue suspend --provider google --reason TEXT --stack prod\n"
    assert wanted in narrow.file.getvalue() + capsys.readouterr().out


@pytest.mark.parametrize(
    ("provider", "words", "page"),
    [
        ("google", "550 5.7.1 unsolicited", "https://postmaster.google.com/"),
        ("other", "554 Client host blocked using zen.SPAMHAUS.org", "https://check.spamhaus.org/"),
        ("yahoo", "553 [BL21] in Spamhaus's list", "https://check.spamhaus.org/"),
        ("office365", "550 5.7.606 banned sending IP", "https://sender.office.com/"),
        ("apple", "550 blocked", ""),
    ],
)
def test_advice_is_for_the_list_in_the_words_then_for_the_provider(
    provider: str, words: str, page: str
) -> None:
    assert reputation.advice_for(refused(provider, words=words)).page == page


def test_every_provider_of_the_table_of_metrics_has_its_own_advice() -> None:
    known = {one.provider for one in reputation.advice()}
    for names in load().providers.values():
        assert known & set(names)


def test_receivers_that_kumomta_does_not_know_are_suspended_by_domain() -> None:
    said = text(reputation.shown([refused("other")], DEPLOYMENT))
    assert "ping8 queue suspend --domain NAME" in said


def test_what_is_acknowledged_is_one_line_after_what_is_open() -> None:
    found = [refused("yahoo", acknowledged=NOTE), refused()]
    lines = text(reputation.shown(found, DEPLOYMENT)).splitlines()
    assert lines[0].startswith("critical  google")
    assert lines[-1].startswith("yahoo refuses out-1")
    assert (
        lines[-1].rstrip().endswith("acknowledged by ann until 2026-12-01 00:53 UTC: asked Google")
    )


# In status ----------------------------------------------------------------------


def metric(name: str, value: float, unit: str = "Count") -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "dimensions": {}}


def test_status_begins_with_refusals_and_goes_on_with_the_worst_host() -> None:
    answers: dict[str, dict[str, Any]] = {
        "mta": {"metrics": [metric("dead_letters", 1)], "reputation": [refused()]},
        "proxy-1": {"metrics": [metric("proxy_up", 0, "None")]},
    }
    lines = text(status.shown(answers, DEPLOYMENT, every_metric=False)).splitlines()
    assert lines[0].startswith("critical  google refuses out-1")
    titles = [line for line in lines if line.startswith(("mta,", "proxy-1,"))]
    assert [line.partition(",")[0] for line in titles] == ["proxy-1", "mta"]
    silent: dict[str, dict[str, Any]] = {
        "proxy-1": {"metrics": [metric("proxy_up", 0, "None")]},
        "mta": {"error": "no SSH"},
    }
    assert text(status.shown(silent, DEPLOYMENT)).startswith("mta: no SSH")


def test_the_metric_is_critical_as_long_as_something_is_open() -> None:
    access = DEPLOYMENT.mta
    assert status.severity("reputation_refusals", 1, access, SETTINGS) == "critical"
    assert status.severity("reputation_refusals", 0, access, SETTINGS) == ""


# The command --------------------------------------------------------------------

Ping8 = Callable[..., tuple[list[list[str]], Any]]


@pytest.fixture
def ping8(monkeypatch: pytest.MonkeyPatch) -> Ping8:
    def run(*arguments: str, found: list[dict[str, Any]], stdin: str = "") -> Any:
        asked: list[list[str]] = []

        def ssh_json(access: HostAccess, verb: list[str]) -> Any:
            assert access.name == "mta"
            asked.append(verb)
            done = [{**one, "acknowledged": NOTE} for one in found]
            return {"refusals": found if verb[1] == "list" else done}

        monkeypatch.setattr(reputation, "ssh_json", ssh_json)
        monkeypatch.setattr(reputation, "read_deployment", lambda _stack: DEPLOYMENT)
        monkeypatch.setattr("getpass.getuser", lambda: "ann")
        result = CliRunner().invoke(build(), ["reputation", *arguments, "-s", "prod"], input=stdin)
        return asked, result

    return run


ACKNOWLEDGE = ("acknowledge", "--provider", "google", "--reason", "asked Google")


def test_the_list_ends_with_1_until_all_is_acknowledged(ping8: Ping8) -> None:
    few = refused("yahoo", open=False)
    _, result = ping8("list", found=[refused(), few])
    assert result.exit_code == 1
    assert "yahoo" not in result.output
    _, result = ping8("list", "--json", found=[refused(acknowledged=NOTE)])
    assert result.exit_code == 0
    assert json.loads(result.output)["refusals"][0]["acknowledged"]["by"] == "ann"
    _, result = ping8("list", found=[few])
    assert (result.exit_code, result.output) == (
        0,
        "no provider refuses mail because of reputation\n",
    )


def test_an_acknowledgement_shows_what_it_covers_and_asks_first(ping8: Ping8) -> None:
    asked, result = ping8(*ACKNOWLEDGE, found=[refused(), refused("yahoo")], stdin="n\n")
    assert isinstance(result.exception, UserError)
    assert "google refuses out-1" in result.output
    assert "yahoo" not in result.output
    assert asked == [["reputation", "list"]]


def test_who_why_and_how_long_go_to_the_host(ping8: Ping8) -> None:
    asked, result = ping8(
        *ACKNOWLEDGE, "--source", "out-1", "--for", "2d", "--yes", found=[refused()]
    )
    assert result.exit_code == 0
    assert asked[-1] == [
        *("reputation", "acknowledge", "--provider", "google", "--reason", "asked Google"),
        *("--for", "2d", "--source", "out-1", "--by", "ann"),
    ]
    assert "acknowledged until 2026-12-01 00:53 UTC" in result.output


def test_what_is_not_refused_cannot_be_acknowledged(ping8: Ping8) -> None:
    asked, result = ping8(*ACKNOWLEDGE, "--source", "out-2", "--yes", found=[refused()])
    assert isinstance(result.exception, UserError)
    assert "google does not refuse out-2" in str(result.exception)
    assert "reputation list --stack prod" in str(result.exception)
    assert asked == [["reputation", "list"]]
