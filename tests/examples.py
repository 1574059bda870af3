"""Example environments, rendered in many tests, with secrets that are the same in each run."""

from typing import Any

from policy.addresses import Addresses
from policy.release import Release
from policy.render import render_mta, render_proxy
from policy.render.example import example_addresses
from policy.secrets import TEXTS, MtaSecrets
from policy.settings import Settings

SMALL: dict[str, Any] = {
    "environment": "small",
    "region": "eu-central-1",
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/api/kumo/events"},
    "domains": [{"name": "example.com"}],
}

LARGE: dict[str, Any] = SMALL | {
    "environment": "large",
    "webhook": {
        "url": "https://app.example.com/api/kumo/events?tenant=a&b=%20",
        "transport": "outbox",
        "batchSize": 200,
        "failureField": "success",
    },
    "proxies": [
        {"name": "proxy-1", "authentication": True},
        {"name": "proxy-2", "port": 5001, "subnet": 1, "authentication": True},
    ],
    "sources": [
        {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
        {"name": "shop-1", "proxy": "proxy-1", "ehlo": "out2"},
        {"name": "shop-2", "proxy": "proxy-2", "ehlo": "out3"},
    ],
    "pools": [
        {"name": "shared-default", "sources": {"proxy-default": 1}},
        {"name": "shop", "sources": {"shop-1": 2, "shop-2": 1}},
    ],
    "brands": [
        {"name": "default", "pool": "shared-default"},
        {"name": "shop", "pool": "shop", "isolated": True, "maxAge": "3d"},
    ],
    "domains": [
        {"name": "example.com"},
        {"name": "shop.example", "brand": "shop", "dkim": {"ed25519": True}},
    ],
    "certificate": {"kind": "given", "chain": "-----BEGIN CERTIFICATE-----\nstand-in\n"},
    "reception": {"maxMessageMib": 25, "requestsPerSecond": 50},
    "shaping": {
        "overrides": {"gmail.com": {"connection_limit": 5}},
        "warmUp": {"shop-1": {"start": "2026-12-01", "daily": [500, 1000, 2000]}},
    },
}


def settings_of(raw: dict[str, Any], **changes: Any) -> Settings:
    """Settings of an example, with some keys of its stack file replaced."""
    return Settings.model_validate(raw | changes)


def stand_in_secrets(settings: Settings, **changes: Any) -> MtaSecrets:
    """Secrets that are no keys, so that what is rendered is the same in each run."""
    values: dict[str, Any] = {
        **{text.field: f"stand-in-{text.label}-0123456789" for text in TEXTS if text.made},
        "proxy_password": "stand-in-proxy-password-0123456789",
        "limits_password": "stand-in-limits-password-0123456789",
        "certificate_key": "-----BEGIN PRIVATE KEY-----\nstand-in\n",
        "dkim_keys": {
            (owner, selector): f"stand-in {kind} key of {selector}.{owner}\n"
            for owner, dkim in settings.dkim_keys().items()
            for selector, kind in dkim.published()
        },
    }
    return MtaSecrets(**(values | changes))


def mta_of(raw: dict[str, Any], **changes: Any) -> Release:
    """The MTA host's release of an example."""
    settings = settings_of(raw, **changes)
    return render_mta(settings, "mta-1", example_addresses(settings), stand_in_secrets(settings))


def proxy_of(raw: dict[str, Any], name: str = "proxy-1", **changes: Any) -> Release:
    """A proxy host's release of an example."""
    settings = settings_of(raw, **changes)
    return render_proxy(settings, name, example_addresses(settings), stand_in_secrets(settings))


def releases_of(settings: Settings) -> tuple[Release, ...]:
    """Every host's release."""
    addresses: Addresses = example_addresses(settings)
    secrets = stand_in_secrets(settings)
    proxies = (render_proxy(settings, p.name, addresses, secrets) for p in settings.proxies)
    nodes = (render_mta(settings, host, addresses, secrets) for host in settings.mta.host_names)
    return (*nodes, *proxies)


def text_of(release: Release, path: str) -> str:
    """The text of one file of a release."""
    return next(file.content for file in release.files if file.path == path).decode()
