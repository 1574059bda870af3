"""Settings for tests of the policy: one sender domain, one source, and what a test says."""

from typing import Any

from policy.settings import Settings

_BASE: dict[str, Any] = {
    "environment": "test",
    "region": "eu-central-1",
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/api/kumo/events"},
    "domains": [{"name": "example.com"}],
}


def settings(**chosen: Any) -> Settings:
    """The least that an environment must say, with the given fields instead."""
    return Settings.model_validate(_BASE | chosen)
