"""The checklist for a new environment, with the texts of the requests to AWS filled in."""

from importlib import resources
from string import Template

from ops.stack import Deployment


def before_launch(deployment: Deployment) -> str:
    """Markdown, ready to paste request by request."""
    settings = deployment.settings
    template = Template(resources.files("ops.doctor").joinpath("launch.md").read_text("utf-8"))
    sources = list(deployment.egress.values())
    return template.substitute(
        stack=deployment.stack,
        region=settings.region,
        zone=settings.zone,
        mta_host=settings.mta_host,
        webhook=settings.webhook.url,
        addresses="\n".join(f"  {source.public}  {source.ehlo}" for source in sources),
        address_count=len(sources) + 1,
        quota=settings.elastic_ip_quota,
        elsewhere="\n".join(
            f"- {domain.name}" for domain in settings.domains if settings.zone_of(domain) is None
        )
        or "- none: all sender domains are in Route 53",
    )
