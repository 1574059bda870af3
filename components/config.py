"""The settings room: the only reader of the stack's configuration.

Secrets are read plain here, to check and compare them, and leave as secret outputs.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pulumi
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from pulumi.runtime import config as stack_config
from pydantic import SecretStr

from components.credentials import DkimKey, Given, Selector
from policy.settings import GivenSecrets, Settings, SettingsError, given_secrets, load
from policy.settings.problems import PROJECT

STACKS = Path(__file__).resolve().parent.parent / "stacks"
"""Where stack files are (`stackConfigDir`), and the files that they name."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A stack file, read and checked."""

    settings: Settings
    given: Given


def read() -> Configuration:
    """The stack's configuration. Stops the program with one message that lists every problem."""
    raw = _ours()
    region = stack_config.get_config("aws:region") or ""
    try:
        settings = load(raw, environment=pulumi.get_stack(), region=region, directory=STACKS)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    secrets, _ = given_secrets(raw)
    return Configuration(settings=settings, given=_handed_on(secrets, settings))


def _ours() -> dict[str, object]:
    """Every key of ours, so that a misspelt one is found: `pulumi.Config` only asks by name."""
    values = {**(stack_config.get_config_env() or {}), **stack_config.CONFIG.get()}
    secret = set(stack_config.get_config_secret_keys_env())
    prefix = f"{PROJECT}:"
    return {
        key.removeprefix(prefix): SecretStr(value)
        if key in secret or stack_config.is_config_secret(key)
        else _structured(value)
        for key, value in values.items()
        if key.startswith(prefix)
    }


def _structured(value: object) -> object:
    """Lists and tables come as JSON; anything else is the text that the operator wrote."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _handed_on(secrets: GivenSecrets, settings: Settings) -> Given:
    return Given(
        webhook_token=_output(secrets.webhook_token),
        injection_token=_output(secrets.injection_token),
        previous_injection_token=_output(secrets.previous_injection_token),
        proxy_password=_output(secrets.proxy_password),
        certificate_key=_output(secrets.certificate_key),
        dkim_keys=_dkim_keys(secrets, settings),
    )


def _dkim_keys(secrets: GivenSecrets, settings: Settings) -> dict[Selector, DkimKey]:
    keys: dict[Selector, DkimKey] = {}
    for domain in settings.domains:
        for selector, _ in domain.selectors():
            private = secrets.dkim_key(domain.name, selector)
            if private is not None:
                keys[domain.name, selector] = DkimKey(
                    private=pulumi.Output.secret(private.get_secret_value()),
                    public=pulumi.Output.from_input(_public(private)),
                )
    return keys


def _public(private: SecretStr) -> str:
    """The public half, plain: DNS shows it to everybody."""
    key = load_pem_private_key(private.get_secret_value().encode(), password=None)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def _output(secret: SecretStr | None) -> pulumi.Output[str] | None:
    return None if secret is None else pulumi.Output.secret(secret.get_secret_value())
