"""A stack file as Pulumi takes it, and what its text shows and Pulumi hides."""

from collections.abc import Iterator, Mapping
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
_PULUMIS_OWN = ("environment", "encryptionsalt", "secretsprovider", "encryptedkey")
_IN_PLAIN_TEXT = (
    "this looks like a secret in plain text: choose a new value, for this one is known to every "
    "reader of the file, and set it with `pulumi config set --secret`"
)


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """Its `config`, each key with its namespace, and what is wrong with it as a whole."""

    config: Mapping[str, object]
    problems: tuple[Problem, ...]

    @property
    def region(self) -> str | None:
        """The AWS region, where one is written."""
        region = self.config.get(REGION)
        return region if isinstance(region, str) else None


def read_stack_file(path: Path) -> StackFile:
    """Raises `UserError`, one line, for a file that cannot be taken for a stack file at all.

    Pulumi itself accepts most such files and takes them for something else than was meant.
    """
    try:
        content = yaml_file.read(path)
    except OSError as error:
        raise UserError(f"{path.name}: it cannot be read: {error.strerror}") from None
    except yaml_file.UnreadableError as error:
        raise UserError(f"{path.name}: {error}") from None
    table = content if isinstance(content, Mapping) else {}
    given = table.get("config")
    if not isinstance(given, Mapping):
        raise UserError(f"{path.name}: write the settings under `config:`, as in Pulumi.dev.yaml")
    config = _namespaced(given, path.name)
    problems = (
        *_unknown_parts(table, path.name),
        *given_secrets(from_stack_file(config))[1],
        *_namespaces(config),
        *_secrets_elsewhere(table, config),
    )
    return StackFile(config=config, problems=problems)


def stack_file_problems(path: Path) -> tuple[Problem, ...]:
    """Of the file that Pulumi read; a stack may have none."""
    return read_stack_file(path).problems if path.exists() else ()


def _namespaced(config: Mapping[str, object], file: str) -> dict[str, object]:
    """Keys as Pulumi completes them: one without namespace is ours."""
    found: dict[str, object] = {}
    for key, value in config.items():
        namespace, _, name = key.rpartition(":")
        full = f"{namespace.removesuffix(':config') or PROJECT}:{name}"
        if full.count(":") != 1 or not name:
            raise UserError(f"{file}: `{key}` is no key: write NAMESPACE:NAME, or a name of ours")
        if full in found:
            raise UserError(f"{file}: {full} is written twice, in two forms: remove one")
        found[full] = value
    return found


def _unknown_parts(table: Mapping[str, object], file: str) -> Iterator[Problem]:
    known = ("config", *_PULUMIS_OWN)
    for key in table:
        if key not in known:
            yield Problem(key=f"{file}: {key}", value="", fix=f"unknown; {one_of(known, key)}")


def _namespaces(config: Mapping[str, object]) -> Iterator[Problem]:
    for key, value in config.items():
        namespace, _, name = key.partition(":")
        if namespace != PROJECT and nearest(namespace, [PROJECT]):
            fix = f"nothing reads this namespace; did you mean {PROJECT}:{name}?"
            yield Problem(key=key, value="", fix=fix)
        if key == REGION and not isinstance(value, str):
            yield Problem(key=key, value="", fix="write a region such as eu-central-1, as text")


def _secrets_elsewhere(
    table: Mapping[str, object], config: Mapping[str, object]
) -> Iterator[Problem]:
    """Providers' credentials, and values of an `environment`: by their look or by their name."""
    foreign = {key: value for key, value in config.items() if not key.startswith(f"{PROJECT}:")}
    places: Mapping[str, Any] = {"environment": table.get("environment"), **foreign}
    for path in find_plain_secrets(places, by_name=True):
        yield hidden_problem(key_of(path), _IN_PLAIN_TEXT, namespace=None)
