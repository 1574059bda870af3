"""Raw values of a stack, from Pulumi's environment or from the stack file."""

import json
import re
from collections.abc import Collection, Mapping

from pydantic import SecretStr

from policy.settings.problems import PROJECT
from policy.settings.secret_values import UnknownSecret

_DATE = re.compile(r"(?<=^[0-9]{4}-[0-9]{2}-[0-9]{2}) 00:00:00 \+0000 UTC\Z")


def from_pulumi(values: Mapping[str, str], secret_keys: Collection[str]) -> dict[str, object]:
    """Our keys without their namespace; lists and tables decoded, secrets as `SecretStr`.

    `values` and `secret_keys` carry the namespace, as in Pulumi's environment.
    """
    return {
        key.removeprefix(f"{PROJECT}:"): SecretStr(value) if key in secret_keys else _decoded(value)
        for key, value in values.items()
        if key.startswith(f"{PROJECT}:")
    }


def _decoded(value: str) -> object:
    """Lists and tables are JSON; anything else stays the text that the operator wrote."""
    if value[:1] not in {"{", "["}:
        return _as_written(value)
    try:
        return _as_written(json.loads(value, object_pairs_hook=_table))
    except (ValueError, RecursionError):
        return value


def _table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError
    return table


def _as_written(value: object) -> object:
    """Pulumi makes a time of a date without quotes."""
    if isinstance(value, str):
        return _DATE.sub("", value)
    if isinstance(value, dict):
        return {key: _as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    return value


def from_stack_file(config: Mapping[str, object]) -> dict[str, object]:
    """The same from the `config` of a stack file; `secure:` values are set but unknown."""
    return {
        key.removeprefix(f"{PROJECT}:"): (
            _with_secrets(value) if isinstance(value, Mapping | list) else _decoded(_text(value))
        )
        for key, value in config.items()
        if key.startswith(f"{PROJECT}:")
    }


def _text(value: object) -> str:
    """A number or a switch as Pulumi hands it over."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _with_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        if set(value) == {"secure"} and isinstance(value["secure"], str):
            return UnknownSecret()
        return {key: _with_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_secrets(item) for item in value]
    return value
