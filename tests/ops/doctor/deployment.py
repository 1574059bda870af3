"""A deployment on documentation addresses, as the stack outputs of an environment tell it."""

from typing import Any

from ops.stack import Deployment, Egress, HostAccess
from policy.settings.export import exported
from tests.examples import LARGE, settings_of

MTA_ADDRESS = "198.51.100.1"


def deployment_of(raw: dict[str, Any] = LARGE, **changes: Any) -> Deployment:
    """Hosts and sources of an example's settings."""
    settings = settings_of(raw, **changes)
    return Deployment(
        stack=settings.environment,
        settings=settings,
        hosts={
            "mta-1": _host("mta-1", "mta", MTA_ADDRESS, 4),
            **{
                proxy.name: _host(proxy.name, "proxy", f"198.51.100.{20 + number}", 20 + number)
                for number, proxy in enumerate(settings.proxies)
            },
        },
        egress={
            source.name: Egress(
                name=source.name,
                proxy=source.proxy,
                ehlo=settings.ehlo(source),
                public=f"203.0.113.{5 + number}",
                private=f"10.8.0.{20 + number}",
            )
            for number, source in enumerate(settings.sources)
        },
        alarm_topic="arn:aws:sns:eu-central-1:123456789012:ping8-small-alarms",
    )


def outputs_of(deployment: Deployment) -> dict[str, Any]:
    """The deployment as `pulumi stack output --json` prints it."""
    return {
        "settings": exported(deployment.settings),
        "hosts": {name: vars(host) for name, host in deployment.hosts.items()},
        "egress": {name: vars(source) for name, source in deployment.egress.items()},
        "alarm_topic": deployment.alarm_topic,
    }


def _host(name: str, role: Any, address: str, number: int) -> HostAccess:
    return HostAccess(
        name=name,
        role=role,
        address=address,
        private_address=f"10.8.0.{number}",
        user="ping8",
        host_key="ssh-ed25519 AAAA",
        instance_id=f"i-0123456789abcde{number:02}",
        release_id="0123456789abcdef",
    )
