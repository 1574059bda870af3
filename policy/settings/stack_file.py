"""Reads a stack file as Pulumi does, and checks what only its text shows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.errors import UserError
from policy.settings import yaml_file
from policy.settings.plain_secrets import find_plain_secrets
from policy.settings.problems import PROJECT, Problem, key_of, nearest, one_of
from policy.settings.raw import from_stack_file
from policy.settings.secret_values import given_secrets, hidden_problem

REGION = "aws:region"
_PULUMIS_TEXTS = ("encryptionsalt", "secretsprovider", "encryptedkey")
_PULUMIS_OWN = ("environment", *_PULUMIS_TEXTS)
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
_ENCRYPTED = re.compile(rf"(?:v1:{_BASE64}:)?{_BASE64}")
_SALT = re.compile(rf"v1:{_BASE64}:v1:{_BASE64}:{_BASE64}")
_HANDED_OVER_KIB = 127
"""Linux gives a program no variable of 128 KiB, and Pulumi hands the settings over in one."""
_IN_PLAIN_TEXT = (
    "this looks like a secret in plain text: choose a new value, because every reader of the file "
    "knows this one, and set it with `pulumi config set --secret`"
)


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """Its `config`, each key with its namespace, and problems of the file as a whole."""

    config: Mapping[str, object]
    problems: tuple[Problem, ...]

    @property
    def region(self) -> str | None:
        """The AWS region, if one is set."""
        region = self.config.get(REGION)
        return region if isinstance(region, str) else None


def read_stack_file(path: Path) -> StackFile:
    """Raises a one-line `UserError` for a file that is not a stack file.

    Pulumi accepts most such files and misreads them.
    """
    try:
        content = yaml_file.read(path)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}") from None
    except yaml_file.UnreadableError as error:
        raise UserError(f"{path.name}: {error}") from None
    table = content if isinstance(content, Mapping) else {}
    given = table.get("config")
    if not isinstance(given, Mapping):
        raise UserError(f"{path.name}: write the settings under `config:`, as in Pulumi.dev.yaml")
    config = _namespaced(given, path.name)
    problems = (
        *_unknown_parts(table, path.name),
        *_pulumis_parts(table, path.name),
        *_encrypted(config, ()),
        *_too_large(config, path.name),
        *given_secrets(from_stack_file(config))[1],
        *_namespaces(config),
        *_secrets_elsewhere(table, config),
    )
    return StackFile(config=config, problems=problems)


def stack_file_problems(path: Path) -> tuple[Problem, ...]:
    """The stack file that Pulumi read; a stack may have none."""
    return read_stack_file(path).problems if path.exists() else ()


def _namespaced(config: Mapping[str, object], file: str) -> dict[str, object]:
    """Keys as Pulumi completes them: a key without a namespace is ours."""
    found: dict[str, object] = {}
    for key, value in config.items():
        namespace, _, name = key.rpartition(":")
        full = f"{namespace.removesuffix(':config') or PROJECT}:{name}"
        if full.count(":") != 1 or not name or key.startswith(":"):
            raise UserError(
                f"{file}: `{key}` is not a key: write NAMESPACE:NAME, or one of our keys"
            )
        if full in found:
            raise UserError(f"{file}: {full} is written twice, in two forms: remove one")
        found[full] = value
    return found


def _unknown_parts(table: Mapping[str, object], file: str) -> Iterator[Problem]:
    known = ("config", *_PULUMIS_OWN)
    for key in table:
        if key not in known:
            yield Problem(key=f"{file}: {key}", value="", fix=f"unknown; {one_of(known, key)}")


def _pulumis_parts(table: Mapping[str, object], file: str) -> Iterator[Problem]:
    for key in _PULUMIS_TEXTS:
        value = table.get(key, "")
        if not isinstance(value, str) or (key == "encryptionsalt" and not _is_salt(value)):
            yield Problem(key=f"{file}: {key}", value="", fix="leave it as Pulumi wrote it")
    imports = table.get("environment", {})
    texts = isinstance(imports, list) and all(isinstance(name, str) for name in imports)
    if not texts and not isinstance(imports, Mapping):
        fix = "write a list of environments, or a table with imports and values"
        yield Problem(key=f"{file}: environment", value="", fix=fix)


def _is_salt(value: str) -> bool:
    return not value or _SALT.fullmatch(value) is not None


def _encrypted(value: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """Values under `secure:` that no Pulumi wrote; it would end with `bad value`."""
    if isinstance(value, Mapping):
        secure = value.get("secure")
        if len(value) == 1 and isinstance(secure, str) and not _ENCRYPTED.fullmatch(secure):
            fix = "this is no encrypted value: set it with `pulumi config set --secret`"
            yield hidden_problem(key_of(path), fix, namespace=None)
        parts: Sequence[tuple[str | int, object]] = list(value.items())
    else:
        parts = list(enumerate(value)) if isinstance(value, list) else []
    for name, part in parts:
        yield from _encrypted(part, (*path, name))


def _too_large(config: Mapping[str, object], file: str) -> Iterator[Problem]:
    texts = {
        key: value if isinstance(value, str) else json.dumps(_decrypted(value), ensure_ascii=False)
        for key, value in config.items()
    }
    kib = len(json.dumps(texts, ensure_ascii=False).encode("utf-8", "replace")) >> 10
    if kib >= _HANDED_OVER_KIB:
        fix = (
            f"its settings are {kib} KiB, and Pulumi can hand over less than {_HANDED_OVER_KIB}: "
            "put the sender domains into a file of their own (`domainsFile`), and give fewer keys"
        )
        yield Problem(key=file, value="", fix=fix)


def _decrypted(value: object) -> object:
    """As many characters as an encrypted value has in plain text; base64 makes four of three."""
    if isinstance(value, Mapping):
        secure = value.get("secure")
        if len(value) == 1 and isinstance(secure, str):
            return "x" * (len(secure) * 3 // 4)
        return {key: _decrypted(part) for key, part in value.items()}
    return [_decrypted(part) for part in value] if isinstance(value, list) else value


def _namespaces(config: Mapping[str, object]) -> Iterator[Problem]:
    for key, value in config.items():
        namespace, _, name = key.partition(":")
        if namespace != PROJECT and nearest(namespace, [PROJECT]):
            fix = f"this namespace is not used; did you mean {PROJECT}:{name}?"
            yield Problem(key=key, value="", fix=fix)
        if key == REGION and not isinstance(value, str):
            yield Problem(key=key, value="", fix="write a region such as eu-central-1, as text")


def _secrets_elsewhere(
    table: Mapping[str, object], config: Mapping[str, object]
) -> Iterator[Problem]:
    """Providers' credentials, and values of an `environment`: judged by look or name."""
    foreign = {key: value for key, value in config.items() if not key.startswith(f"{PROJECT}:")}
    places: Mapping[str, Any] = {"environment": table.get("environment"), **foreign}
    for path in find_plain_secrets(places, by_name=True):
        yield hidden_problem(key_of(path), _IN_PLAIN_TEXT, namespace=None)
