"""The command itself: help at once, one meaning for each status, no traceback."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ops.main import COMMANDS, UNAVAILABLE, USAGE, build
from tests.ops.doctor.deployment import outputs_of
from tests.ops.test_status import DEPLOYMENT

HEAVY = {"pulumi", "boto3", "botocore", "checkdmarc", "policy.settings", "cryptography", "moto"}
"""What takes long to import, and what help does without."""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("P")}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        [sys.executable, "-c", "from ops.main import run; run()", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**env, "PATH": path, **environment},
    )


def loaded_by(*arguments: str) -> set[str]:
    """The heavy packages that a command line loads."""
    code = (
        "import sys, ops.main\n"
        "try: ops.main.run()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {sorted(HEAVY)!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    assert "Usage:" in done.stdout
    found: set[str] = set(eval(done.stderr.splitlines()[-1]))
    return found


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_that_takes_long(command: str) -> None:
    assert loaded_by(*command.split(), "--help") == set()


def test_every_command_is_in_the_help_with_what_it_does() -> None:
    text = run("-h").stdout
    for name, (_, what) in COMMANDS.items():
        assert name in text
        assert what in " ".join(text.split())


def options() -> dict[str, set[str]]:
    """Those of each command, but of the sandbox's."""

    def found(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
        for name in getattr(command, "commands", ()):
            yield from found(command.get_command(None, name), (*path, name))
        if not hasattr(command, "commands"):
            yield " ".join(path), {one for each in command.params for one in each.opts}

    whole: Any = typer.main.get_command(build())
    named = (each for each in COMMANDS if each != "sandbox")
    return dict(one for each in named for one in found(whole.get_command(None, each), (each,)))


def test_every_command_takes_the_stack_and_prints_json() -> None:
    told = options()
    assert {name for name, known in told.items() if "-s" not in known} == {"init"}
    lines_alone = {"init", "kumomta pin", "render"}
    assert {name for name, known in told.items() if "--json" not in known} == lines_alone


@pytest.mark.parametrize("command", ["", "queue list", "events list", "doctor", "render"])
def test_help_is_readable_in_60_columns(command: str) -> None:
    lines = run(*command.split(), "-h", COLUMNS="60").stdout.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 60


def test_the_version_is_printed() -> None:
    assert run("--version").stdout.startswith("ping8-mail ")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["status", "--nonsense"], ["render"], ["status", "--every", "x"]]
)
def test_a_wrong_command_line_ends_with_its_own_status(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == USAGE
    assert done.stderr.startswith("ping8: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["drain"], "Missing argument 'NODE'. See `-c drain --help`."),
        (["drain", "mta-1", "--nonsense"], "No such option: --nonsense. See `-c drain --help`."),
        (["rotate", "token"], "Choose from: injection, webhook. See `-c rotate token --help`."),
        (["rotate", "token", "x"], ": 'x' is not one of 'injection', 'webhook'. See "),
        (["rotate", "dkim", "-s", "prod", "--every", "3x"], "such as 180d"),
        (["kumomta", "pin", "-s", "prod", "3"], "VERSION 3: write a release of the package"),
        (["dns", "-s", "prod", "--check", "--resolver", "x"], "--resolver x: write an IPv4"),
        (["init", "new"], "no terminal to ask on: set --region"),
    ],
)
def test_a_wrong_command_line_is_explained_before_anything_is_asked(
    arguments: list[str], said: str
) -> None:
    done = run(*arguments)
    assert done.returncode == USAGE
    (*_, line) = done.stderr.splitlines()
    assert line.startswith("ping8: ")
    assert said in line


GROUPS = ["queue", "events", "reputation", "rotate", "kumomta", "domains"]


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_without_a_command_shows_its_help(group: str) -> None:
    done = run(group)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr == run(group, "--help").stdout


@pytest.mark.parametrize("group", [*GROUPS, "shaping", "sandbox"])
def test_a_list_of_commands_has_whole_sentences(group: str) -> None:
    listed = run(group, "--help").stdout.partition("Commands:")[2]
    assert listed
    assert "..." not in listed


def test_without_a_stack_the_operator_is_asked_for_one() -> None:
    done = run("status")
    assert done.returncode == UNAVAILABLE
    assert "set --stack" in done.stderr


def a_program(folder: Path, text: str, mode: int = 0o755) -> str:
    """A `pulumi` of our own; the PATH that finds it first."""
    path = folder / "pulumi"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo no", "printed no JSON"),
        ("echo '[]'", "printed no table"),
        ("exit 3", "ended with status 3"),
        ("kill -9 $$", "ended by signal 9"),
        (
            "echo 'error: no stack named x found' >&2; exit 255",
            "stack 'prod': no stack named x found; see `pulumi stack ls`",
        ),
        ("echo '{}'", "run `pulumi up -s prod` first"),
    ],
)
@pytest.mark.parametrize("command", ["status", "drift", "rollback"])
def test_what_is_wrong_with_pulumi_is_one_line(
    command: str, text: str, said: str, tmp_path: Path
) -> None:
    done = run(command, "-s", "prod", PATH=a_program(tmp_path, text))
    assert (done.returncode, len(done.stderr.splitlines())) == (UNAVAILABLE, 1)
    assert said in done.stderr


def test_pulumi_missing_is_one_line() -> None:
    done = run("status", "-s", "prod")
    assert (done.returncode, done.stderr) == (
        UNAVAILABLE,
        "ping8: pulumi: not on PATH; install the Pulumi CLI\n",
    )


def test_the_stack_comes_from_the_environment_or_from_what_is_selected(tmp_path: Path) -> None:
    path = a_program(
        tmp_path, '[ "$2" = --show-name ] && echo chosen || { echo "$5" >&2; exit 1; }'
    )
    assert run("status", PATH=path).stderr == "ping8: stack 'chosen': chosen\n"
    assert run("status", PATH=path, PULUMI_STACK="env").stderr == "ping8: stack 'env': env\n"


def test_saved_outputs_of_another_stack_are_rejected(tmp_path: Path) -> None:
    saved = tmp_path / "outputs.json"
    saved.write_text(json.dumps(outputs_of(DEPLOYMENT)))
    done = run("status", "-s", "prod", PING8_OUTPUTS=str(saved))
    assert done.returncode == UNAVAILABLE
    assert "outputs of stack 'small', but the chosen stack is 'prod'" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = run("render", "-s", "dev", "-o", str(tmp_path / "out"))
    assert (done.returncode, len(done.stderr.splitlines())) == (UNAVAILABLE, 1)


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("render", "-s", "sandbox", "-o", str(tmp_path / "file" / "out"))
    assert done.returncode == UNAVAILABLE
    assert "Traceback" not in done.stderr
