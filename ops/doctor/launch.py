"""The checklist for a new environment, with the texts of the requests to AWS filled in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import resources
from string import Template

from ops.doctor.checks import zone
from ops.doctor.examination import Task, examine
from ops.doctor.finding import Finding, Status, failed, passed
from ops.doctor.resolver import Resolver
from ops.pin import look
from ops.stack import Deployment
from policy.errors import UserError
from policy.settings import Settings
from policy.settings.instances import vcpus
from policy.settings.ubuntu import ubuntu_releases

_LISTED = 20
"""Sender domains that the checklist names; the others are counted."""


def needs_of_a_push(
    settings: Settings, resolver: Resolver, *, ca_file: str | None, seconds: float
) -> list[Finding]:
    """What would make a push fail and can be checked from here: delegation, CAA and the package."""

    def caa() -> Finding:
        if settings.certificate.kind != "acme":
            return passed("no certificate authority is used")
        return zone.caa(settings.injection_host, settings, resolver, ca_file)

    looks: Mapping[str, Callable[[], Finding]] = {
        "delegation": lambda: zone.delegation(settings.zone, resolver),
        "caa": caa,
        "package": lambda: _package(settings),
    }
    tasks = [
        Task(checks=(name,), subject="", run=partial(_one, name, run))
        for name, run in looks.items()
    ]
    return examine(tasks, seconds=seconds, progress=lambda *_: None)


def _one(name: str, run: Callable[[], Finding]) -> list[Finding]:
    return [run().of(name, "")]


def _package(settings: Settings) -> Finding:
    wanted = settings.kumomta.version
    if settings.kumomta.preinstalled:
        return passed("the image contains it")
    try:
        found = look(wanted, ubuntu_releases()[settings.os.release])
    except UserError as error:
        return failed(str(error), expected=wanted, fix="")
    lacking = {host.processor for host in (settings.mta, *settings.proxies)} & set(found.missing)
    if lacking:
        saw = f"{wanted} is missing for {', '.join(sorted(lacking))}"
        return failed(saw, expected=wanted, fix="choose other instance types")
    return passed(f"{wanted} is available")


def before_launch(
    stack: str, settings: Settings, deployment: Deployment | None, needs: Sequence[Finding] = ()
) -> str:
    """Markdown, ready to paste request by request.

    Before the first `pulumi up` there is no deployment: the addresses are not known yet.
    """
    template = Template(resources.files("ops.doctor").joinpath("launch.md").read_text("utf-8"))
    needed = settings.elastic_ips()
    seen = {finding.check: finding for finding in needs}
    elsewhere = [d.name for d in settings.domains if settings.zone_of(d) is None]
    hosts = (*[settings.mta] * settings.mta.nodes, *settings.proxies)
    return template.substitute(
        {
            key: value
            for name in ("delegation", "caa", "package")
            for key, value in _box(name, seen.get(name)).items()
        },
        stack=stack,
        region=settings.region,
        zone=settings.zone,
        mta_host=settings.injection_host,
        version=settings.kumomta.version,
        cidrs=", ".join(str(network) for network in settings.operators.cidrs),
        webhook=settings.webhook.url,
        addresses="\n".join(f"      {line}" for line in _addresses(settings, deployment)),
        needed=needed,
        quota=settings.elastic_ip_quota,
        quota_done="x" if needed <= settings.elastic_ip_quota else " ",
        ask_for=max(needed, settings.elastic_ip_quota),
        vcpus=sum(vcpus(host.instance_type) or 0 for host in hosts),
        elsewhere="\n".join(f"      {line}" for line in _listed(elsewhere)),
    )


def _listed(elsewhere: Sequence[str]) -> Iterator[str]:
    yield from elsewhere[:_LISTED]
    if len(elsewhere) > _LISTED:
        yield f"and {len(elsewhere) - _LISTED:,} more"
    if not elsewhere:
        yield "none: all sender domains are in Route 53"


def _box(name: str, found: Finding | None) -> dict[str, str]:
    """Whether a box is ticked, and the text below it."""
    if found is None:
        return {f"{name}_done": " ", name: "not checked"}
    done = found.status is Status.PASS
    fix = f"; {found.fix}" if found.fix else ""
    return {f"{name}_done": "x" if done else " ", name: f"{found.saw}{fix}"}


def _addresses(settings: Settings, deployment: Deployment | None) -> list[str]:
    known: Mapping[str, str] = (
        {source.name: source.public for source in deployment.egress.values()} if deployment else {}
    )
    unknown = "(known after pulumi up)"
    return [
        f"{known.get(source.name, unknown):25}{settings.ehlo(source)}"
        for source in settings.sources
    ]
