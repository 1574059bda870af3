"""`ping8-agent inbox`: lists and shows mail, whatever a stranger wrote into it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hostagent.events import inbox
from hostagent.logs import prune

MAIL = (
    b"From: fbl@mailbox.example\r\nTo: postmaster@bounce.example.com\r\n"
    b"Subject: =?utf-8?q?Confirm_=1B]52;c;x=07?=\r\n\r\nhttps://mailbox.example/\x1b[2J\r\n"
)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, directory: Path) -> Any:
    code = inbox.main(arguments, directory)
    return code, json.loads(capsys.readouterr().out)


def test_what_came_since_the_last_look_is_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "new"
    assert inbox.unread(directory) == 0
    run(capsys, directory=directory)
    directory.mkdir()
    for moment, name in ((100, "first"), (200, "second")):
        (directory / name).write_bytes(MAIL)
        os.utime(directory / name, (moment, moment))
    assert inbox.unread(directory) == 2
    run(capsys, "--show", "first", directory=directory)
    assert inbox.unread(directory) == 2, "one that was shown is not all"
    monkeypatch.setattr("time.time", lambda: 201.0)
    run(capsys, directory=directory)
    assert inbox.unread(directory) == 0
    (directory / "third").write_bytes(MAIL)
    assert inbox.unread(directory) == 1


def test_newest_first_and_no_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for age, name in ((100, "old"), (10, "new")):
        (tmp_path / name).write_bytes(MAIL)
        os.utime(tmp_path / name, (1_796_000_000 - age,) * 2)
    code, found = run(capsys, directory=tmp_path)
    assert (code, found["count"]) == (0, 2)
    assert [message["id"] for message in found["messages"]] == ["new", "old"]
    assert found["messages"][0]["subject"].isprintable()
    code, shown = run(capsys, "--show", "old", directory=tmp_path)
    assert shown["text"] == "https://mailbox.example/?[2J"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\0", b"Content-Type: multipart/mixed; boundary=x\n\n--x--", b"From: <<>>\n\n",
     b"Content-Type: text/plain; charset=nothing\n\n\xff", b"Subject: =?x?q?=ff?=\n\n"],
)  # fmt: skip
def test_any_content_can_be_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "1").write_bytes(content)
    assert run(capsys, directory=tmp_path)[1]["count"] == 1
    assert run(capsys, "--show", "1", directory=tmp_path)[0] == 0


def test_none_was_ever_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, directory=tmp_path / "new")[1] == {"count": 0, "messages": []}
    assert run(capsys, "--show", "1", directory=tmp_path)[0] == 1
    assert prune.read_segments(tmp_path / "new") == []
