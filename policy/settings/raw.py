"""Raw values of a stack: as Pulumi hands them to a program, or as the stack file holds them."""

import json
from collections.abc import Collection, Mapping

from pydantic import SecretStr

from policy.settings.problems import PROJECT
from policy.settings.secret_values import UnknownSecret


def from_pulumi(values: Mapping[str, str], secret_keys: Collection[str]) -> dict[str, object]:
    """Our keys without their namespace, lists and tables decoded, secrets as `SecretStr`.

    `values` and `secret_keys` carry the namespace, as in Pulumi's environment.
    """
    return {
        key.removeprefix(f"{PROJECT}:"): SecretStr(value) if key in secret_keys else _decoded(value)
        for key, value in values.items()
        if key.startswith(f"{PROJECT}:")
    }


def _decoded(value: str) -> object:
    """Lists and tables come as JSON; anything else stays the text that the operator wrote."""
    if value[:1] not in {"{", "["}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def from_stack_file(config: Mapping[str, object]) -> dict[str, object]:
    """The same from the `config` of a stack file; `secure:` values are given but unknown."""
    return {
        key.removeprefix(f"{PROJECT}:"): (
            _decoded(value) if isinstance(value, str) else _with_secrets(value)
        )
        for key, value in config.items()
        if key.startswith(f"{PROJECT}:")
    }


def _with_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        if set(value) == {"secure"} and isinstance(value["secure"], str):
            return UnknownSecret()
        return {key: _with_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_secrets(item) for item in value]
    return value
