"""Populated secrets in tracked files, and in the history of the stack files."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown
from ops.doctor.registry import check
from ops.doctor.subjects import CHECKOUT
from policy.settings.secret_values import SECRET_KEYS

_SECONDS = 20
_LARGEST = 1_000_000
_SHOWN = 3

_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20,}")
_ENVIRONMENT = re.compile(
    r"^\+?(?:export )?PING8_(?:WEBHOOK|INJECTION)_TOKEN=[ ]*['\"]?[^\s'\"<$%{]{8,}", re.MULTILINE
)
_AWS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
_PLAIN = re.compile(
    rf"^\+?[ \t]*(?:ping8-mail:)?(?:{'|'.join(sorted(SECRET_KEYS))}):"
    r"[ \t]+(?!['\"]?\s*$)[^\s{#|>]\S*",
    re.MULTILINE,
)
_KINDS = (
    ("a private key", _PRIVATE_KEY),
    ("a populated environment file", _ENVIRONMENT),
    ("an AWS access key", _AWS_KEY),
)


def populated(text: str, *, stack_file: bool) -> str | None:
    """What kind of secret is in a text; None if there is none.

    In a stack file a secret's value is a table with `secure:`; anything else is plain text.
    """
    kinds = (*_KINDS, ("a secret in plain text", _PLAIN)) if stack_file else _KINDS
    return next((kind for kind, pattern in kinds if pattern.search(text)), None)


@check("repository.secrets", CHECKOUT)
def repository(folder: Path, case: Case) -> Finding:
    """Every tracked text file now, and every version of the stack files."""
    try:
        top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
        tracked = [name for name in _git(top, "ls-files", "-z").split("\0") if name]
        history = _git(top, "log", "-p", "--unified=0", "--format=commit %h", "--", "*stacks/*")
    except FileNotFoundError:
        return unknown("git is not on PATH")
    except subprocess.TimeoutExpired:
        return unknown(f"git took longer than {_SECONDS} s")
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines() or ["no reason given"]
        return unknown(
            f"git: {said[-1]}", fix="run ping8 doctor in the checkout that holds Pulumi.yaml"
        )
    found = [*_files(top, tracked), *_commits(history)]
    if found:
        more = len(found) - _SHOWN
        return failed(
            "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else ""),
            expected="none",
            fix="replace the secret, which every reader knows, and remove it from the file; "
            f"in a stack file: pulumi config set --secret KEY -s {case.deployment.stack}",
        )
    return passed(f"none in {len(tracked)} tracked files")


def _files(top: Path, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        path = top / name
        # Tests hold throw-away keys on purpose.
        if name.startswith("tests/") or not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        text = path.read_text("utf-8", errors="replace")
        kind = populated(text, stack_file=_is_stack_file(name))
        if kind:
            yield f"{name}: {kind}"


def _is_stack_file(name: str) -> bool:
    return Path(name).name.startswith("Pulumi.") and name.endswith((".yaml", ".yml"))


def _commits(history: str) -> Iterator[str]:
    for part in re.split(r"^commit ", history, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        added = "\n".join(
            line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")
        )
        kind = populated(added, stack_file=True)
        if kind:
            yield f"commit {lines[0]} of the stack files: {kind}"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
    ).stdout
