"""`ping8 rotate token`: what each step writes, and what PING8 must do in between."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import typer

from ops.rotate import look
from ops.rotate import tokens as work
from ops.rotate.tokens import Kind, next_step
from ops.stack import Deployment
from ops.stackfile import read_stack_file
from policy.errors import UserError
from policy.settings.operation import Token
from tests.ops.hosts import access
from tests.ops.test_stackfile import SMALLEST, write

NOW = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)
OLD, NEW = "2026-06-01T12:00:00Z", "2026-12-01T12:00:00Z"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("token", "applied", "ready", "writes"),
    [
        (Token(), True, False, {"made": [NEW], "keep": True}),
        (Token(made=("2026-01-01T12:00:00Z", OLD)), True, True, {"made": [OLD, NEW], "keep": True}),
        (Token(made=(NEW,), keep=True), False, True, {}),
        (Token(made=(NEW,), keep=True), True, False, {}),
        (Token(made=(NEW,), keep=True), True, True, {"keep": False}),
        (Token(made=(NEW,)), False, False, {}),
    ],
)
def test_each_state_has_its_next_step(
    kind: Kind, token: Token, applied: bool, ready: bool, writes: dict[str, Any]
) -> None:
    done = next_step(kind, token, applied=applied, ready=ready, now=NOW)
    assert done.writes == writes
    assert bool(done.waits_for) == (not writes)


def test_no_step_drops_a_token_before_ping8_is_ready() -> None:
    """Whatever is kept, the token that is used stays among those that are kept."""
    token = Token()
    for _ in range(3):
        used = token.kept[-1]
        made = next_step(Kind.injection, token, applied=True, ready=False, now=NOW)
        token = Token.model_validate({**token.model_dump(), **made.writes})
        assert used in token.kept
        again = next_step(Kind.injection, token, applied=True, ready=False, now=NOW)
        assert again.writes == {}
        token = token.model_copy(update={"keep": False})


def rotate(
    directory: Path, capsys: pytest.CaptureFixture[str], kind: Kind = Kind.injection, **how: bool
) -> tuple[dict[str, Any], int]:
    """One run: what it printed, and its status."""
    status = 0
    try:
        work.rotate(
            "test",
            kind,
            ready=how.get("ready", False),
            yes=True,
            as_json=True,
            directory=directory,
            now=NOW,
        )
    except typer.Exit as ended:
        status = ended.exit_code
    return json.loads(capsys.readouterr().out), status


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The settings that are up."""
    write(tmp_path, SMALLEST)
    up = [read_stack_file("test", tmp_path)]

    def deployment(_stack: str) -> Deployment:
        return Deployment(stack="test", settings=up[-1], hosts={"mta": access()}, egress={})

    monkeypatch.setattr(work, "read_deployment", deployment)
    monkeypatch.setattr(look, "ssh_json", lambda *_: {"release": "0123456789abcdef"})
    return up


def test_two_steps_write_two_changes_and_a_second_run_writes_nothing(
    tmp_path: Path, deployed: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    assert rotate(tmp_path, capsys)[0]["step"] == "make"
    written = file.read_text("utf-8")
    assert written.startswith(SMALLEST)
    row, status = rotate(tmp_path, capsys, ready=True)
    assert (row["waits_for"], status) == ("up", 1)
    deployed.append(read_stack_file("test", tmp_path))
    row, status = rotate(tmp_path, capsys)
    assert (row["waits_for"], status) == ("ping8", 1)
    assert file.read_text("utf-8") == written
    row, status = rotate(tmp_path, capsys, ready=True)
    assert (row["step"], status) == ("drop", 0)
    assert not read_stack_file("test", tmp_path).tokens.injection.keep


def test_a_configured_token_is_removed_by_its_owner_before_it_is_dropped(
    tmp_path: Path, deployed: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    given = "  ping8-mail:webhookToken: {secure: v1:c2FsdA==:dGV4dA==}\n"
    write(tmp_path, SMALLEST + given)
    rotate(tmp_path, capsys, Kind.webhook)
    deployed.append(read_stack_file("test", tmp_path))
    with pytest.raises(UserError, match="pulumi config rm webhookToken -s test"):
        rotate(tmp_path, capsys, Kind.webhook, ready=True)
    write(tmp_path, (tmp_path / "Pulumi.test.yaml").read_text("utf-8").replace(given, ""))
    assert rotate(tmp_path, capsys, Kind.webhook, ready=True)[0]["step"] == "drop"
