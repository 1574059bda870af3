"""Secrets that an operator sets instead of letting Pulumi generate them.

Values stay in `SecretStr`, which does not print; no reported problem shows one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from policy.secrets import TEXTS
from policy.settings import names
from policy.settings.problems import HIDDEN, PROJECT, Problem

SECRET_KEYS: Mapping[str, str] = {
    **{text.key: text.meaning for text in TEXTS},
    "deployKey": "Private SSH key (Ed25519) with which Pulumi logs in to the hosts.",
    "hostKeys": "Private SSH host keys (Ed25519) by host: `mta-1`, or a proxy's name.",
    "dkimKeys": "Private DKIM keys in PEM by `<domain>/<selector>` or `<brand>/<selector>`.",
}
"""Keys of a stack file whose values are secrets, with their meaning."""

TABLES = ("hostKeys", "dkimKeys")
"""Those of them that are tables of secrets."""


class UnknownSecret(SecretStr):
    """A secret that is set but encrypted, so its value cannot be checked."""

    def __init__(self) -> None:
        super().__init__("")


@dataclass(frozen=True, kw_only=True)
class GivenSecrets:
    """What the stack file sets; Pulumi generates those that are None or missing.

    `single` is keyed as in the stack file; `host_keys` by host; `dkim_keys` by
    `<domain>/<selector>` or `<brand>/<selector>`, both normalised.
    """

    single: Mapping[str, SecretStr] = field(default_factory=dict)
    host_keys: Mapping[str, SecretStr] = field(default_factory=dict)
    dkim_keys: Mapping[str, SecretStr] = field(default_factory=dict)


def given_secrets(raw: Mapping[str, object]) -> tuple[GivenSecrets, tuple[Problem, ...]]:
    """The secrets among a stack file's values, and problems of their form.

    A value that is not a `SecretStr` is plain text in the stack file, which is rejected.
    """
    problems: list[Problem] = []
    secrets = GivenSecrets(
        single={
            key: secret
            for key in SECRET_KEYS
            if key not in TABLES and (secret := _single(key, raw.get(key), problems)) is not None
        },
        host_keys=_table("hostKeys", raw.get("hostKeys"), problems, str.lower),
        dkim_keys=_table("dkimKeys", raw.get("dkimKeys"), problems, _dkim_place),
    )
    return secrets, tuple(problems)


def hidden_problem(key: str, fix: str, *, namespace: str | None = PROJECT) -> Problem:
    """A problem of a secret, without its value."""
    return Problem(key=f"{namespace}:{key}" if namespace else key, value=HIDDEN, fix=fix)


def _plain_secret(key: str) -> Problem:
    """A secret in plain text in the stack file."""
    option = f"--path '{PROJECT}:{key}'" if set(key) & set(".[") else key
    return hidden_problem(
        key,
        "a secret in plain text: choose a new value, because every reader of the file knows this "
        f"one, and set it with `pulumi config set --secret {option}`",
    )


def _single(key: str, value: object, problems: list[Problem]) -> SecretStr | None:
    if value is None:
        return None
    if not isinstance(value, SecretStr):
        problems.append(_plain_secret(key))
        return None
    if not isinstance(value, UnknownSecret) and not value.get_secret_value():
        problems.append(hidden_problem(key, "it is empty: set a value, or remove the key"))
        return None
    return value


def _table(
    key: str, value: object, problems: list[Problem], normalised: Callable[[str], str]
) -> dict[str, SecretStr]:
    if value is None or isinstance(value, UnknownSecret):
        return {}
    table = _json_table(value) if isinstance(value, SecretStr) else value
    if not isinstance(table, Mapping):
        problems.append(hidden_problem(key, "write a table with one PEM private key per entry"))
        return {}
    secrets: dict[str, SecretStr] = {}
    for place, secret in table.items():
        if isinstance(secret, Mapping):
            problems.append(_divided(key, place, secret))
        elif isinstance(secret, SecretStr):
            secrets[normalised(str(place))] = secret
        else:
            problems.append(_plain_secret(f'{key}["{place}"]'))
    return secrets


def _divided(key: str, place: object, below: Mapping[object, object]) -> Problem:
    """What `pulumi config set --path` does to a name with dots outside brackets."""
    name = f"{place}.{next(iter(below), '...')}"
    return hidden_problem(
        f"{key}.{name}",
        "`pulumi config set --path` splits a key at its dots: remove this one, and set "
        f'{PROJECT}:{key}["{name}"], in brackets and quotes',
    )


def _json_table(value: SecretStr) -> dict[str, SecretStr] | None:
    """Pulumi passes a table that contains a secret as one secret text."""
    try:
        table = json.loads(value.get_secret_value())
    except ValueError:
        return None
    if not isinstance(table, dict) or not all(isinstance(pem, str) for pem in table.values()):
        return None
    return {place: SecretStr(pem) for place, pem in table.items()}


def _dkim_place(place: str) -> str:
    domain, _, selector = place.rpartition("/")
    try:
        return f"{names.host_name(domain)}/{selector.strip().lower()}"
    except names.InvalidNameError:
        return place
