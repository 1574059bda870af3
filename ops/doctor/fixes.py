"""Commands that put things right, ready to paste."""

from ops.stack import Deployment, HostAccess
from policy.dns.plan import zone_of
from policy.dns.publish import publications_of
from policy.settings.base import named


def refresh(deployment: Deployment) -> str:
    """For what AWS holds and somebody changed there: `pulumi up` alone would see no difference."""
    return f"pulumi up --refresh -s {deployment.stack}"


def push(deployment: Deployment) -> str:
    """For what a host holds and somebody changed there."""
    return f"pulumi config set push always -s {deployment.stack} && pulumi up -s {deployment.stack}"


def up(deployment: Deployment) -> str:
    """For a change of the stack file."""
    return f"pulumi up -s {deployment.stack}"


def on_host(access: HostAccess, command: str) -> str:
    """A command on a host."""
    return f"ssh {access.user}@{access.address} '{command}'"


def record(deployment: Deployment, domain_name: str, name: str) -> str:
    """For a record of a sender domain: ours is refreshed, another's is told to its owner."""
    domain = named(deployment.settings.domains, domain_name)
    if zone_of(deployment.settings, domain, name) is not None:
        return refresh(deployment)
    lines = [
        f"{each.name}. {each.ttl} IN {each.type} {_value(each.type, each.value)}"
        for each in publications_of(deployment.settings, domain)
        if each.name == name
    ]
    return f"the owner of {domain_name} publishes: {'; '.join(lines) or name}"


def _value(kind: str, value: str) -> str:
    return f'"{value}"' if kind == "TXT" else f"{value}."
