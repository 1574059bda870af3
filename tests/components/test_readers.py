"""`pulumi preview` and `ping8` read a stack file alike: one verdict for each kind of file."""

import json
import shutil
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

from components import config
from ops.stackfile import read_stack_file
from policy.errors import UserError
from tests.components.program import run
from tests.policy.settings.pulumi_reads import RECORD, Pulumi, differences
from tests.policy.settings.stack_files import ACCEPTED, ALL, PLAIN_SECRETS, REJECTED, SECRET

RECORDED: dict[str, Any] = json.loads(RECORD.read_text("utf-8"))
"""How Pulumi itself read each of these files, once."""


def as_ping8(folder: Path) -> str:
    """Why `ping8` rejects the file; empty when it accepts it."""
    try:
        read_stack_file("test", folder)
    except UserError as error:
        return str(error)
    return ""


def as_preview(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why the program does, with the values that Pulumi hands over; or Pulumi's own error."""
    recorded = RECORDED["files"][name]
    if "error" in recorded:
        return str(recorded["error"])
    values = RECORDED["smallest"] | recorded.get("values", {})
    for key in recorded.get("absent", ()):
        del values[key]
    secret = recorded.get("secret", [])
    monkeypatch.setattr(config, "STACKS", folder)
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(values))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(secret))

    def program() -> None:
        set_all_config({}, [])
        config.read()

    try:
        run({}, program=program)
    except pulumi.RunError as error:
        return str(error)
    return ""


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="`pulumi` is not on PATH")
def test_the_record_says_what_pulumi_here_does(tmp_path: Path) -> None:
    engine = Pulumi(tmp_path)
    for name in ("smallest", "date-as-text", "encrypted-secret", "merge-twice", "octal"):
        found = differences(engine.read(ALL[name]), RECORDED["smallest"])
        assert found == RECORDED["files"][name], name


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of a stack file of that kind."""
    (tmp_path / "Pulumi.test.yaml").write_bytes(ALL[request.param])
    return tmp_path


def test_every_kind_of_file_was_read_by_pulumi_itself() -> None:
    assert set(RECORDED["files"]) == set(ALL)


@pytest.mark.parametrize(("name", "folder"), [(n, n) for n in ACCEPTED], indirect=["folder"])
def test_both_readers_accept_it(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert as_ping8(folder) == ""
    assert as_preview(name, folder, monkeypatch) == ""


@pytest.mark.parametrize(("name", "folder"), [(n, n) for n in REJECTED], indirect=["folder"])
def test_both_readers_reject_it(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = REJECTED[name][1]
    said = as_ping8(folder)
    assert reason in said
    assert len(said.splitlines()) == 1 or "nothing was changed" in said
    preview = as_preview(name, folder, monkeypatch)
    assert preview if "error" in RECORDED["files"][name] else reason in preview


@pytest.mark.parametrize(("name", "folder"), [(n, n) for n in PLAIN_SECRETS], indirect=["folder"])
def test_no_plain_secret_passes_a_reader(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said in (as_ping8(folder), as_preview(name, folder, monkeypatch)):
        assert said
        assert SECRET not in said
        assert "changeme" not in said
