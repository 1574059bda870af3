"""Commands that fix problems, ready to paste."""

from ops.stack import Deployment, HostAccess
from policy.dns.plan import zone_of
from policy.dns.publish import publications_of
from policy.settings.base import named


def refresh(deployment: Deployment) -> str:
    """Undoes changes made in AWS directly; `pulumi up` alone would see no difference."""
    return f"pulumi up --refresh -s {deployment.stack}"


def push(deployment: Deployment) -> str:
    """Undoes changes made on a host directly."""
    return f"pulumi config set push always -s {deployment.stack} && pulumi up -s {deployment.stack}"


def up(deployment: Deployment) -> str:
    """Applies a change to the stack file."""
    return f"pulumi up -s {deployment.stack}"


def on_host(access: HostAccess, command: str) -> str:
    """A command on a host."""
    return f"ssh {access.user}@{access.address} '{command}'"


def record(deployment: Deployment, domain_name: str, name: str) -> str:
    """Fixes a sender domain's record: we refresh ours, the owner publishes theirs."""
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
