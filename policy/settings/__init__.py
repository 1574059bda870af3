"""The typed model of an environment, and its reading."""

from policy.settings.load import load
from policy.settings.model import Settings
from policy.settings.problems import Problem, SettingsError
from policy.settings.raw import from_pulumi
from policy.settings.secret_values import GivenSecrets, given_secrets

__all__ = [
    "GivenSecrets",
    "Problem",
    "Settings",
    "SettingsError",
    "from_pulumi",
    "given_secrets",
    "load",
]
