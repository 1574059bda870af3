"""The search for populated secrets in a repository and its history."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.doctor.checks.repository import populated, repository
from ops.doctor.finding import Finding, Status
from tests.ops.doctor.case import case_of
from tests.ops.doctor.deployment import deployment_of

STACK = "stacks/Pulumi.prod.yaml"
ENCRYPTED = "config:\n  ping8-mail:webhookToken:\n    secure: AAABAJ3vUbQ=\n"
PLAIN = "config:\n  ping8-mail:webhookToken: 3vUbQk29dmWq\n"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEAxxxxxxxxxxxxx\n"
Write = Callable[[str, str], str]


@pytest.fixture
def commit(tmp_path: Path) -> Write:
    """Writes a file of a new repository, commits it and returns the commit's short id."""

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    git("init", "--quiet")

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        git("add", "--force", name)
        git("commit", "--quiet", "--message", "x")
        return git("rev-parse", "--short", "HEAD").strip()

    write(STACK, ENCRYPTED)
    return write


def look(folder: Path) -> Finding:
    (found,) = repository(folder, case_of(deployment_of()))
    return found


def test_a_repository_without_secrets_passes(commit: Write, tmp_path: Path) -> None:
    commit("README.md", "PING8_WEBHOOK_TOKEN=<token>\nwebhookToken: Token of each call.\n")
    assert look(tmp_path).status is Status.PASS


@pytest.mark.parametrize(
    ("name", "text", "saw"),
    [
        ("keys/s1.key", KEY, "keys/s1.key: a private key"),
        ("env", "PING8_WEBHOOK_TOKEN='3vUbQk29dmWq'\n", "env: a populated environment file"),
        ("notes.md", "the key is AKIA" + "ABCDEFGHIJKLMNOP\n", "notes.md: an AWS access key"),
        (STACK, PLAIN, f"{STACK}: a secret in plain text"),
    ],
)
def test_a_populated_secret_fails_and_is_named_without_its_value(
    commit: Write, tmp_path: Path, name: str, text: str, saw: str
) -> None:
    commit(name, text)
    found = look(tmp_path)
    assert found.status is Status.FAIL
    assert found.saw.startswith(saw)
    assert "3vUbQk29dmWq" not in found.saw


def test_a_secret_that_was_removed_from_a_stack_file_still_fails(
    commit: Write, tmp_path: Path
) -> None:
    added = commit(STACK, PLAIN)
    commit(STACK, ENCRYPTED)
    found = look(tmp_path)
    assert found.status is Status.FAIL
    assert found.saw == f"commit {added} of the stack files: a secret in plain text"
    assert "replace the secret" in found.fix


def test_a_folder_below_sees_the_whole_repository(commit: Write, tmp_path: Path) -> None:
    commit("keys/s1.key", KEY)
    assert look(tmp_path / "stacks").status is Status.FAIL


def test_a_file_that_git_does_not_track_is_ignored(commit: Write, tmp_path: Path) -> None:
    (tmp_path / "own.key").write_text(KEY)
    assert look(tmp_path).status is Status.PASS


def test_a_folder_without_a_repository_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = look(tmp_path)
    assert found.status is Status.UNKNOWN
    assert "not a git repository" in found.saw


@pytest.mark.parametrize(
    "text",
    [
        "  ping8-mail:injectionToken:\n    secure: AAAB\n",
        "  ping8-mail:injectionToken: {secure: AAAB}\n",
        "  ping8-mail:dkimKeys:\n    example.com/s1:\n      secure: AAAB\n",
        "  # ping8-mail:webhookToken: see README\n",
        "  ping8-mail:webhook: {url: https://app.example.com/}\n",
    ],
)
def test_what_pulumi_encrypts_is_no_plain_secret(text: str) -> None:
    assert populated(text, stack_file=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "  ping8-mail:injectionToken: abcdefgh\n",
        "  injectionToken: 'abcdefgh'\n",
        '  ping8-mail:proxyPassword: "pass word"\n',
    ],
)
def test_any_other_value_of_a_secrets_key_is_plain(text: str) -> None:
    assert populated(text, stack_file=True) == "a secret in plain text"
    assert populated(text, stack_file=False) is None
