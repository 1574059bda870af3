"""The checklist for a new environment, with the texts of the requests to AWS filled in."""

from collections.abc import Mapping
from importlib import resources
from string import Template

from ops.stack import Deployment
from policy.settings import Settings
from policy.settings.instances import vcpus


def before_launch(stack: str, settings: Settings, deployment: Deployment | None) -> str:
    """Markdown, ready to paste request by request.

    Before the first `pulumi up` there is no deployment: the addresses are not known yet.
    """
    template = Template(resources.files("ops.doctor").joinpath("launch.md").read_text("utf-8"))
    needed = len(settings.sources) + 1
    elsewhere = [d.name for d in settings.domains if settings.zone_of(d) is None]
    return template.substitute(
        stack=stack,
        region=settings.region,
        zone=settings.zone,
        mta_host=settings.mta_host,
        webhook=settings.webhook.url,
        addresses="\n".join(f"      {line}" for line in _addresses(settings, deployment)),
        needed=needed,
        quota=settings.elastic_ip_quota,
        quota_done="x" if needed <= settings.elastic_ip_quota else " ",
        ask_for=max(needed, settings.elastic_ip_quota),
        vcpus=sum(vcpus(host.instance_type) or 0 for host in (settings.mta, *settings.proxies)),
        elsewhere="\n".join(f"      {name}" for name in elsewhere)
        or "      none: all sender domains are in Route 53",
    )


def _addresses(settings: Settings, deployment: Deployment | None) -> list[str]:
    known: Mapping[str, str] = (
        {source.name: source.public for source in deployment.egress.values()} if deployment else {}
    )
    unknown = "(known after pulumi up)"
    return [
        f"{known.get(source.name, unknown):25}{settings.ehlo(source)}"
        for source in settings.sources
    ]
