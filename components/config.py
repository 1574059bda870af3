"""The only reader of the stack's configuration.

It reads secrets in plain text to check them, and passes them on as secret outputs.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi.runtime import config as stack_config
from pydantic import SecretStr

from components.credentials import Given, KeyPair
from policy.dns.answers import with_answers
from policy.errors import UserError
from policy.render.check import check
from policy.secrets import TEXTS
from policy.settings import (
    GivenSecrets,
    Settings,
    SettingsError,
    advice,
    from_pulumi,
    given_keys,
    given_secrets,
    load,
)

STACKS = Path(__file__).resolve().parent.parent / "stacks"
"""The folder of stack files (`stackConfigDir`) and of files that they refer to."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A stack file, read and checked."""

    settings: Settings
    given: Given


def read() -> Configuration:
    """The stack's configuration. Stops the program with one message that lists every problem."""
    values = _all_values()
    raw = from_pulumi(values, _secret_keys(values))
    region = values.get("aws:region", "")
    try:
        settings = load(raw, environment=pulumi.get_stack(), region=region, directory=STACKS)
        settings = with_answers(settings, STACKS)
        advice.refuse_unpublished(settings)
        check(settings)
    except UserError as error:
        raise pulumi.RunError(str(error)) from None
    _advise(settings)
    secrets, _ = given_secrets(raw)
    return Configuration(settings=settings, given=_handed_on(secrets, settings))


def _advise(settings: Settings) -> None:
    """Warns in preview; an update with example values would fail in the middle."""
    examples = advice.examples_left(settings)
    if examples and not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(str(SettingsError(examples)))
    for line in (*map(str, examples), *advice.warnings(settings, datetime.date.today())):
        pulumi.log.warn(line)


def _all_values() -> dict[str, str]:
    """Every key, so that misspelt ones are found: `pulumi.Config` only looks up by name."""
    return {**(stack_config.get_config_env() or {}), **stack_config.CONFIG.get()}


def _secret_keys(values: dict[str, str]) -> set[str]:
    by_program = {key for key in values if stack_config.is_config_secret(key)}
    return by_program | set(stack_config.get_config_secret_keys_env())


def _handed_on(secrets: GivenSecrets, settings: Settings) -> Given:
    deploy_key = secrets.single.get("deployKey")
    return Given(
        texts={
            text.field: pulumi.Output.secret(secrets.single[text.key].get_secret_value())
            for text in TEXTS
            if text.key in secrets.single
        },
        deploy_key=_ssh_pair(deploy_key) if deploy_key else None,
        host_keys={host: _ssh_pair(key) for host, key in secrets.host_keys.items()},
        dkim_keys={
            (owner, selector): _pair(given_keys.dkim_pair(key))
            for owner, dkim in settings.dkim_keys().items()
            for selector, _ in dkim.published()
            if (key := secrets.dkim_keys.get(f"{owner}/{selector}")) is not None
        },
    )


def _ssh_pair(secret: SecretStr) -> KeyPair:
    return _pair(given_keys.ssh_pair(secret))


def _pair(pair: given_keys.KeyPair) -> KeyPair:
    return KeyPair(
        public=pulumi.Output.from_input(pair.public),
        private=pulumi.Output.secret(pair.private.get_secret_value()),
    )
