"""The audit log: what operators do to a host, in files that are never written again."""

import json
from pathlib import Path
from typing import Any

import pytest

from hostagent import __main__ as agent
from hostagent import audit
from hostagent.text import printable


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("call", "written"),
    [
        (["rollback", "--to", "abc"], True),
        (["push"], True),
        (["queue", "suspend", "--domain", "x.example"], True),
        (["queue", "bounce"], True),
        (["queue", "resume"], True),
        (["events", "replay", "--id", "1"], True),
        (["inbox", "--show", "1"], True),
        (["inbox", "--show=1"], True),
        (["queue", "list"], False),
        (["events", "list"], False),
        (["inbox"], False),
        (["status"], False),
        (["metrics"], False),
    ],
)
def test_what_changes_or_shows_mail_is_written_down(call: list[str], written: bool) -> None:
    assert audit.is_audited(call[0], call[1:]) is written


def test_a_call_leaves_its_beginning_and_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "FOLDER", tmp_path)
    monkeypatch.setenv("SUDO_USER", "ping8")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 10.0.0.1 22")
    assert agent.main(["queue", "bounce", "--by", "jane"]) == 1
    begun, failed = sorted(records(tmp_path), key=lambda entry: entry["outcome"])
    assert (begun["outcome"], failed["outcome"]) == ("begun", "failed")
    assert begun["arguments"] == ["bounce", "--by", "jane"]
    assert begun["user"] == "ping8"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_an_emergency_waits_for_no_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit, "record", full)
    monkeypatch.setitem(agent.VERBS, "rollback", lambda _host, _rest: {"release": "x"})
    assert agent.main(["rollback"]) == 0
    assert "not in the audit log" in capsys.readouterr().err


def test_nothing_that_a_stranger_wrote_controls_a_terminal() -> None:
    evil = "a\x1b]52;c;eA==\x07b\x9b2J\u202ec\x00d"
    assert printable(evil) == "a?]52;c;eA==?b?2J?c?d"
    assert printable("zwei\n\tZeilen ü") == "zwei\n\tZeilen ü"
