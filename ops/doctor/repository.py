"""Populated secrets in tracked files, and in the history of the stack files."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from policy.settings.secret_values import SECRET_KEYS

from ops.doctor.finding import Finding, failed, passed, unknown

_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\n[A-Za-z0-9+/=]{20,}")
_ENVIRONMENT = re.compile(r"^PING8_WEBHOOK_TOKEN=['\"]?[^\s'\"<$]{8,}", re.MULTILINE)
_PLAIN = re.compile(
    rf"^\s*\+?\s*(?:ping8-mail:)?(?:{'|'.join(sorted(SECRET_KEYS))}):"
    r"[ \t]+(?!['\"]?\s*$)[^\s{]\S*",
    re.MULTILINE,
)


def populated(text: str) -> str | None:
    """What kind of secret stands in a text; None where there is none."""
    for kind, pattern in (
        ("a private key", _PRIVATE_KEY),
        ("a populated environment file", _ENVIRONMENT),
        ("a secret in plain text", _PLAIN),
    ):
        if pattern.search(text):
            return kind
    return None


def repository(folder: Path) -> list[Finding]:
    """Every tracked text file now, and every version of the stack files."""
    try:
        tracked = _git(folder, "ls-files", "-z").split("\0")
        history = _git(folder, "log", "-p", "--unified=0", "--format=commit %h", "--", "stacks")
    except (OSError, subprocess.SubprocessError) as error:
        return [unknown("repository.secrets", folder.name, f"git: {error}")]
    found = [
        *(f"{name}: {kind}" for name, kind in _files(folder, filter(None, tracked))),
        *_commits(history),
    ]
    if found:
        return [
            failed(
                "repository.secrets",
                folder.name,
                "; ".join(found[:3]),
                expected="none",
                mend="replace the secret everywhere (it is known now), then remove it from the "
                "file: pulumi config set --secret KEY",
            )
        ]
    return [passed("repository.secrets", folder.name, f"none in {len(tracked)} tracked files")]


def _files(folder: Path, names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        path = folder / name
        if name.startswith("tests/") or not path.is_file() or path.stat().st_size > 1_000_000:
            continue
        kind = populated(path.read_text("utf-8", errors="replace"))
        if kind:
            yield name, kind


def _commits(history: str) -> Iterable[str]:
    for part in history.split("commit ")[1:]:
        added = "\n".join(line for line in part.splitlines() if line.startswith("+"))
        kind = populated(added)
        if kind:
            yield f"commit {part.split(maxsplit=1)[0]} of stacks/: {kind}"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=20,
    ).stdout
