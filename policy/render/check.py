"""Renders an environment with example addresses, so that no update fails halfway."""

from policy.addresses import Addresses
from policy.errors import UserError
from policy.release import Release
from policy.render import render_mta, render_proxy
from policy.render.example import example_addresses, throw_away_certificate, throw_away_secrets
from policy.settings import Settings


def example_releases(settings: Settings) -> tuple[Release, ...]:
    """The release of each host, without secrets of the stack."""
    return releases_with(settings, example_addresses(settings))


def releases_with(settings: Settings, addresses: Addresses) -> tuple[Release, ...]:
    """The release of each host with these addresses, without secrets of the stack."""
    settings = throw_away_certificate(settings)
    secrets = throw_away_secrets(settings)
    proxies = (render_proxy(settings, proxy.name, addresses, secrets) for proxy in settings.proxies)
    nodes = (render_mta(settings, host, addresses, secrets) for host in settings.mta.host_names)
    return (*nodes, *proxies)


def check(settings: Settings) -> None:
    """Raises `UserError` for settings that pass every rule but still cannot be rendered."""
    try:
        example_releases(settings)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the hosts' files cannot be rendered from these settings: {error}; "
            "nothing was changed: find that value in the stack file, and report this as a bug"
        ) from error
