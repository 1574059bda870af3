"""`ping8 inbox`: what it asks the MTA host for, and what it shows."""

import pytest
from typer.testing import CliRunner

from ops import inbox
from ops.main import build
from tests.ops.hosts import access

MESSAGE = {
    "id": "17.M1P2.mta",
    "time": 1_796_000_000,
    "size": 9,
    "from": "fbl@mailbox.example",
    "to": "postmaster@bounce.example.com",
    "subject": "[bold]Confirm[/]",
}


class Deployment:
    """A stack with an MTA host."""

    chosen_mta_hosts = staticmethod(lambda _name: [access()])


@pytest.mark.parametrize("show", [None, "17.M1P2.mta"])
def test_lists_and_shows(monkeypatch: pytest.MonkeyPatch, show: str | None) -> None:
    asked: list[list[str]] = []

    def ssh_json(_host: str, verb: list[str], **_options: object) -> object:
        asked.append(verb)
        return MESSAGE | {"text": "Hello"} if show else {"count": 7, "messages": [MESSAGE]}

    monkeypatch.setattr(inbox, "ssh_json", ssh_json)
    monkeypatch.setattr(inbox, "read_deployment", lambda _stack: Deployment)
    monkeypatch.setenv("COLUMNS", "200")
    words = ["inbox", "--stack", "prod", *(["--show", show] if show else [])]
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == 0, result.output
    assert asked == [["inbox", "--show", show] if show else ["inbox"]]
    assert "[bold]Confirm[/]" in result.output
    assert "host" not in result.output
    assert ("Hello" if show else "7 in the inbox, 1 shown") in result.output
