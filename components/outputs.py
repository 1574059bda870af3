"""The outputs of an environment, for operators, PING8 and the `ping8` command."""

from typing import Any

import pulumi

from components.platform import MailPlatform
from policy.cloud_init import LOGIN_USER
from policy.dns.publish import in_short
from policy.settings import Settings
from policy.settings.export import exported


def outputs(settings: Settings, platform: MailPlatform) -> dict[str, Any]:
    """The stack's outputs by name; the two tokens are secrets."""
    return {
        "injection_url": f"https://{settings.injection_host}/api/inject/v1",
        "injection_addresses": list(platform.injection.addresses),
        "hosts": {name: _host(settings, platform, name) for name in platform.hosts},
        "egress": {
            source.name: _source(settings, platform, source.name) for source in settings.sources
        },
        "records_to_publish": [publication.as_dict() for publication in in_short(settings)],
        "alarm_topic": platform.alarm_topic,
        **({"limits_address": platform.limits} if platform.limits is not None else {}),
        **_balancer(platform),
        "releases": {name: release.release_id for name, release in platform.releases.items()},
        "log_in": {
            name: pulumi.Output.concat("ssh ", LOGIN_USER, "@", host.primary_address)
            for name, host in platform.hosts.items()
        },
        "settings": exported(settings),
        "token_secrets": dict(platform.credentials.token_secrets),
        "webhook_token": platform.credentials.webhook_token,
        "injection_token": platform.credentials.injection_token,
    }


def _balancer(platform: MailPlatform) -> dict[str, Any]:
    group = platform.injection.target_group
    return {} if group is None else {"target_group": group}


def _host(settings: Settings, platform: MailPlatform, name: str) -> dict[str, Any]:
    host, private = platform.hosts[name], platform.private
    return {
        "role": settings.roles[name],
        "address": host.primary_address,
        "private_address": private.mta.get(name) or private.proxies[name][0],
        "user": LOGIN_USER,
        "host_key": platform.credentials.host_keys[name].public,
        "instance_id": host.instance_id,
        "release_id": platform.releases[name].release_id,
    }


def _source(settings: Settings, platform: MailPlatform, name: str) -> dict[str, Any]:
    source = settings.source(name)
    return {
        "ehlo": settings.ehlo(source),
        "public": platform.addresses[name],
        "private": platform.private.sources[name],
        "proxy": source.proxy,
        "pools": [pool.name for pool in settings.pools if name in pool.sources],
    }
