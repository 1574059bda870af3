"""The settings room: the only reader of the stack's configuration.

Secrets are read plain here, to compare them, and leave as secret outputs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import config as runtime
from pydantic import SecretStr

from components.credentials import Given
from policy.settings import GivenSecrets, Settings, SettingsError, load

PROJECT = "ping8-mail"
STACKS = Path(__file__).resolve().parent.parent / "stacks"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A stack file, read and checked."""

    settings: Settings
    given: Given


def read() -> Configuration:
    """The stack's configuration. Stops the program with one message that lists every problem."""
    values, secret_keys = _everything()
    raw = {
        key.removeprefix(f"{PROJECT}:"): _structured(value)
        for key, value in values.items()
        if key.startswith(f"{PROJECT}:")
    }
    secrets = {key.removeprefix(f"{PROJECT}:") for key in secret_keys}
    try:
        settings, given = load(
            raw,
            secret_keys=secrets,
            region=values.get("aws:region"),
            environment=pulumi.get_stack(),
            directory=STACKS,
        )
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    return Configuration(settings=settings, given=_handed_on(given))


def _everything() -> tuple[dict[str, Any], set[str]]:
    """All keys of the stack, so that misspelt ones are found; `pulumi.Config` only asks by name."""
    values = {**(runtime.get_config_env() or {}), **runtime.CONFIG.get()}
    secret = {*runtime.get_config_secret_keys_env(), *(key for key in values if _is_secret(key))}
    return values, secret


def _is_secret(key: str) -> bool:
    return runtime.is_config_secret(key)


def _structured(value: Any) -> Any:
    """Lists and tables come as JSON; anything else stays the text that the operator wrote."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _handed_on(given: GivenSecrets) -> Given:
    """The secrets as secret outputs; of key pairs, the public half in plain."""
    return Given(
        webhook_token=_output(given.webhook_token),
        injection_token=_output(given.injection_token),
        previous_injection_token=_output(given.previous_injection_token),
        certificate_key=_output(given.certificate_key),
        deploy_key=None,
        host_keys={},
        dkim_keys={},
    )


def _output(secret: SecretStr | None) -> pulumi.Output[str] | None:
    return None if secret is None else pulumi.Output.secret(secret.get_secret_value())
