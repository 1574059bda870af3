"""What is wrong outside the program is one line and a status that means one thing; no traceback."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ops import engine, init, main, stackfile
from ops.doctor.command import COULD_NOT_CHECK
from ops.questions import QUESTIONS
from tests.examples import SMALL
from tests.ops.doctor.deployment import deployment_of, outputs_of

DEPLOYED = deployment_of(SMALL)
OUTPUTS = outputs_of(DEPLOYED)
STACK = DEPLOYED.stack
SENDER = f"news@{DEPLOYED.settings.domains[0].name}"
_ACT = ["--reason", "x", "--domain", "example.net", "--yes"]
ASKING = {
    "status": ["status"],
    "status --json": ["status", "--json"],
    "drift": ["drift"],
    "rollback --list": ["rollback", "--list"],
    "rollback": ["rollback", "--yes"],
    "find": ["find", "someone@example.net"],
    "events list": ["events", "list"],
    "events replay": ["events", "replay", "--yes"],
    "events reconcile": ["events", "reconcile"],
    "inbox": ["inbox"],
    "inbox --show": ["inbox", "--show", "x"],
    "queue list": ["queue", "list", "--by", "provider"],
    "queue suspend": ["queue", "suspend", *_ACT],
    "queue bounce": ["queue", "bounce", *_ACT],
    "queue resume": ["queue", "resume", "x", "--yes"],
    "render --diff": ["render", "--diff"],
    "doctor": ["doctor", "--only", "hosts", "--timeout", "20"],
}
"""The commands that ask Pulumi, and then hosts."""

Run = Callable[..., tuple[int, str, str]]


class Programs:
    """The `pulumi` and the `ssh` that commands find, and no other program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set("pulumi", f"cat {folder}/outputs")
        (folder / "outputs").write_text(json.dumps(OUTPUTS))

    def set(self, name: str, text: str, mode: int = 0o755) -> None:
        """What a program does."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
        path.chmod(mode)

    def answer(self, name: str, text: str) -> None:
        """What a program prints."""
        (self.folder / f"{name}-answer").write_text(text)
        self.set(name, f"cat {self.folder}/{name}-answer")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(engine, "local_stack", lambda _stack: None)
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    example = stackfile.STACKS / "Pulumi.dev.yaml"
    (stacks / f"Pulumi.{STACK}.yaml").write_bytes(example.read_bytes())
    monkeypatch.setattr(stackfile.read_stack_file, "__defaults__", (stacks,))
    monkeypatch.setattr(init.init, "__defaults__", (stacks,))
    monkeypatch.chdir(tmp_path)
    return Programs(folder)


@pytest.fixture
def run(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """A command line in this process: its status and what it says."""

    def once(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ping8", *arguments])
        try:
            status = main._run()
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = capfd.readouterr()
        return status, said.out, said.err

    return once


def _without(*path: str) -> str:
    changed = json.loads(json.dumps(OUTPUTS))
    part = changed
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return json.dumps(changed)


def _with(value: object, *path: str) -> str:
    changed = json.loads(json.dumps(OUTPUTS))
    part = changed
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return json.dumps(changed)


PULUMI = {
    "prints nothing": "",
    "prints no JSON": "no",
    "prints JSON without end": "[" * 100_000,
    "prints a list": "[]",
    "prints no bytes of text": "\udcff",
    "knows no host": _without("hosts"),
    "knows hosts as a list": _with([], "hosts"),
    "knows no MTA host": _with({}, "hosts"),
    "knows an MTA host without a key": _with("", "hosts", "mta-1", "host_key"),
    "knows an MTA host without an address": _without("hosts", "mta-1", "address"),
    "knows an option as an address": _with("-oProxyCommand=x", "hosts", "mta-1", "address"),
    "knows another role": _with("relay", "hosts", "mta-1", "role"),
    "knows no settings": _without("settings"),
    "knows settings of another version": _with(5, "settings", "zone"),
    "knows sources as text": _with("x", "egress"),
}
FAILING = {
    "is killed": "kill -9 $$",
    "fails in silence": "exit 3",
    "fails": "echo 'error: no stack named x found' >&2; exit 255",
}


@pytest.mark.parametrize("command", ASKING)
def test_whatever_pulumi_answers_is_one_line(command: str, run: Run, programs: Programs) -> None:
    expected = COULD_NOT_CHECK if command == "doctor" else main.UNAVAILABLE
    wrong = {}
    for what, text in PULUMI.items():
        path = programs.folder / "outputs"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        status, _, said = run(*ASKING[command], "-s", STACK)
        if "knows no MTA" in what and command in {"status", "status --json", "drift"}:
            continue  # of no host there is nothing to say
        if (status, said.count("ping8: ")) != (expected, 1):
            wrong[what] = (status, said)
    for what, text in FAILING.items():
        programs.set("pulumi", text)
        status, _, said = run(*ASKING[command], "-s", STACK)
        if (status, said.count("ping8: ")) != (expected, 1):
            wrong[what] = (status, said)
    for what in ("may not be run", "is not there"):
        programs.set("pulumi", "", mode=0o644)
        if what == "is not there":
            (programs.folder / "pulumi").unlink()
        status, _, said = run(*ASKING[command], "-s", STACK)
        if (status, said.count("pulumi: ")) != (expected, 1):
            wrong[what] = (status, said)
    assert wrong == {}


AGENT = {
    "says nothing": "cat /dev/null",
    "says null": "echo null",
    "says a list": "echo '[]'",
    "says an empty table": "echo '{}'",
    "says JSON without end": "head -c 100000 /dev/zero | tr '\\0' '['",
    "says no bytes of text": "printf '\\377\\376'; printf '\\377' >&2; exit 3",
    "is killed": "kill -9 $$",
    "cannot be reached": "echo 'Connection refused' >&2; exit 255",
    "shows another key": "echo 'Host key verification failed.' >&2; exit 255",
    "is not there": "exit 127",
}


@pytest.mark.parametrize("command", ASKING)
def test_any_answer_of_a_host_is_reported_without_a_traceback(
    command: str, run: Run, programs: Programs
) -> None:
    meant = {main.UNAVAILABLE, 1, 2, COULD_NOT_CHECK, 0}
    if command not in {"status", "status --json", "doctor"}:
        meant = {main.UNAVAILABLE}
    wrong = {}
    for what, text in AGENT.items():
        programs.set("ssh", text)
        status, out, said = run(*ASKING[command], "-s", STACK)
        if command.startswith("queue") and what == "says an empty table":
            continue  # no queue is meant
        if status not in meant or not out + said:
            wrong[what] = (status, said)
    programs.set("ssh", "", mode=0o644)
    status, out, said = run(*ASKING[command], "-s", STACK)
    if status not in meant or "ssh" not in out + said:
        wrong["may not be run"] = (status, out + said)
    assert wrong == {}


HOSTILE = [
    *(
        "",
        "-",
        "a\nb",
        "'\"$(id)%s{}",
        "[bold]x[/]\x1b[31m",
        "\udcff\u200b",
        "\u0667",
        "-1",
        "1e999",
    ),
    *(
        "nan",
        "9" * 400,
        "9999-12-31T23:59-14:00",
        "../x",
        "/dev/full",
        "x" * 5000,
        "a@",
        "@b",
        "::1",
    ),
]


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name in main.COMMANDS if not path else command.commands:
        yield from _commands(command.get_command(None, name), (*path, name))


COMMANDS = {
    " ".join(path): command
    for path, command in _commands(typer.main.get_command(main.build()))
    if path[0] not in {"sandbox", "kumomta"}
}
NEEDS = {
    "send": ["--from", SENDER, "--to", "you@example.net", "--wait", "1"],
    "queue suspend": _ACT,
    "queue bounce": _ACT,
    "doctor": ["--only", "hosts", "--timeout", "5"],
    "render": ["--diff"],
    "init": ["name", *(f"--{key.replace('_', '-')}=x" for key in QUESTIONS)],
    "find": ["x"],
    "queue resume": ["x"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_value_of_an_option_ends_in_a_traceback(
    command: str, run: Run, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.set("ssh", "echo '{}'")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    known = {0, 1, 2, COULD_NOT_CHECK, main.USAGE, main.UNAVAILABLE}
    wrong = {}
    for option in COMMANDS[command].params:
        if option.name == "help" or getattr(option, "is_flag", False):
            continue
        for value in HOSTILE:
            needs = ["-s", STACK, *NEEDS.get(command, ())]
            if option.param_type_name == "argument":
                needs = [word for word in needs if word not in {"x", "name"}]
                given = ["--", value]
            else:
                given = [f"{option.opts[0]}={value}"]
            if command == "init":
                needs = needs[2:]
            status, _, said = run(*command.split(), *needs, *given)
            if status not in known or "Traceback" in said:
                wrong[f"{option.opts[0]} {value[:30]!r}"] = (status, said[-200:])
    assert wrong == {}


def begun(*arguments: str, **more: Any) -> "subprocess.Popen[str]":
    """A command line in a process of its own, interruptible also if this one is not."""
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{interruptible}; from ops.main import run; run()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=stackfile.STACKS.parent,
        **more,
    )


def test_a_closed_pipe_is_not_a_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    with begun("dns", "-s", "prod", stdout=write) as process:
        os.close(write)
        _, said = process.communicate()
    assert (process.returncode, "Error" in said) == (0, False)


def test_output_on_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full, begun("dns", "-s", "dev", stdout=full) as process:
        _, said = process.communicate()
    assert process.returncode == main.UNAVAILABLE
    assert said.splitlines()[-1] == "ping8: No space left on device"


def test_closed_output_is_no_failure() -> None:
    line = f"{sys.executable} -c 'from ops.main import run; run()' dns -s dev >&- 2>&-"
    assert subprocess.run(line, shell=True, check=False).returncode == 0


def test_characters_that_a_terminal_cannot_show_are_escaped() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "20"}
    with begun(
        "dns", "-s", "dev", "--domain", "é.example", stdout=subprocess.PIPE, env=os.environ | plain
    ) as process:
        _, said = process.communicate()
    assert process.returncode == main.USAGE
    assert "--domain" in said and "not known" in said


def test_an_interrupt_ends_without_output(programs: Programs) -> None:
    programs.set("ssh", f"touch {programs.folder}/reached; exec sleep 600")
    with begun("drift", "-s", STACK, stdout=subprocess.PIPE) as process:
        while not (programs.folder / "reached").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, said) == (130, "")


def test_a_stack_file_that_is_a_folder_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "stacks" / "Pulumi.folder.yaml").mkdir()
    status, _, said = run("dns", "-s", "folder")
    assert status == main.UNAVAILABLE
    assert said.startswith("ping8: Pulumi.folder.yaml")
    assert said.endswith(": Is a directory\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk_under_out_is_one_line(run: Run, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=64k", "none", str(full)], check=True)
    try:
        status, _, said = run("render", "-s", STACK, "--out", str(full / "out"))
    finally:
        subprocess.run(["/bin/umount", str(full)], check=True)
    assert status == main.UNAVAILABLE
    assert said.splitlines()[-1].endswith("No space left on device")


def test_a_bug_of_ours_has_its_own_status(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackfile, "stack_names", lambda _folder: 1 / 0)
    status, _, said = run("dns", "-s", STACK)
    assert status == main.OURS
    assert "ZeroDivisionError" in said


def test_a_user_without_a_name_may_hold_queues_back(
    run: Run, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    queue = {"domain": "example.net", "messages": 1, "suspended": []}
    listed = json.dumps({"queues": [queue], "ready": {}, "suspended": [], "bounces": []})
    programs.set("ssh", f"echo \"$*\" > {programs.folder}/asked; echo '{listed}'")
    run(*ASKING["queue suspend"], "-s", STACK)
    assert "--by 'user 4000000000'" in (programs.folder / "asked").read_text()
