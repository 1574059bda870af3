"""Renders an environment with example addresses, so that nothing fails in mid-update."""

from policy.addresses import Addresses
from policy.errors import UserError
from policy.release import Release
from policy.render import render_mta, render_proxy
from policy.render.example import example_addresses, throw_away_certificate, throw_away_secrets
from policy.settings import Settings


def example_releases(settings: Settings) -> tuple[Release, ...]:
    """The release of each host; no secret of the stack is in them."""
    return releases_with(settings, example_addresses(settings))


def releases_with(settings: Settings, addresses: Addresses) -> tuple[Release, ...]:
    """The release of each host with these addresses; no secret of the stack is in them."""
    settings = throw_away_certificate(settings)
    secrets = throw_away_secrets(settings)
    proxies = (render_proxy(settings, proxy.name, addresses, secrets) for proxy in settings.proxies)
    return (render_mta(settings, addresses, secrets), *proxies)


def check(settings: Settings) -> None:
    """Raises `UserError` for settings that pass every rule, and still cannot be written."""
    try:
        example_releases(settings)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the hosts' files cannot be written from these settings: {error}; "
            "nothing was changed: look for that value in the stack file, and report it"
        ) from error
