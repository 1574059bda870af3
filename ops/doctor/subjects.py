"""What checks are about."""

from dataclasses import dataclass
from pathlib import Path

from ops.doctor.case import Case
from ops.doctor.https import Endpoint
from ops.doctor.registry import About
from ops.stack import Deployment, Egress, HostAccess
from policy.settings.domains import SenderDomain
from policy.settings.egress import Brand
from policy.settings.hosts import ProxyHost


@dataclass(frozen=True)
class Selector:
    """A DKIM selector of a sender domain."""

    domain: SenderDomain
    name: str


def chosen_domains(case: Case) -> list[SenderDomain]:
    """The sender domains to check."""
    chosen = case.options.domains
    return [each for each in case.settings.domains if not chosen or each.name in chosen]


def sources_of(domain: SenderDomain, deployment: Deployment) -> list[Egress]:
    """The egress sources of the domain's mail."""
    settings = deployment.settings
    pool = settings.pool(settings.brand(domain.brand).pool)
    return [deployment.egress[name] for name in pool.sources]


def _selectors(case: Case) -> list[Selector]:
    return [
        Selector(domain, name)
        for domain in chosen_domains(case)
        for name, _ in case.settings.dkim_of(domain).published()
    ]


@dataclass(frozen=True, kw_only=True)
class Door(Endpoint):
    """One MTA host as PING8 and the world reach it, and the name that leads to it."""

    access: HostAccess
    name: str


def _mta_name(case: Case) -> list[Door]:
    """The only MTA host by the name where PING8 injects; each of several by its own."""
    name, hosts = case.settings.injection_host, case.deployment.mta_hosts
    return [
        Door(
            host=name,
            address=access.address,
            access=access,
            name=name if len(hosts) == 1 else case.settings.full_name(access.name),
        )
        for access in hosts
    ]


def _issued(case: Case) -> list[Door]:
    return _mta_name(case) if case.settings.certificate.kind == "acme" else []


def _several(case: Case) -> bool:
    return len(case.deployment.mta_hosts) > 1


def _name(thing: HostAccess | Egress | ProxyHost | SenderDomain | Brand) -> str:
    return thing.name


HOSTS = About[HostAccess](
    things=lambda case: case.deployment.hosts.values(), name=_name, together=True
)
"""Hosts, by what they report about themselves."""
CHANGED_HOSTS = About[HostAccess](
    things=lambda case: case.deployment.hosts.values(), name=_name, together=True
)
"""Hosts, by how they differ from their release, which takes longer."""
IMAGES = About[HostAccess](things=lambda case: case.deployment.hosts.values(), name=_name)
"""Hosts, by what AWS reports about their images."""
MTA = About[HostAccess](things=lambda case: case.deployment.mta_hosts, name=_name, together=True)
MTA_NAME = About[Door](things=_mta_name, name=lambda door: door.name)
"""The MTA as PING8 and the world reach it."""
NODE_NAME = About[Door](
    things=lambda case: _mta_name(case) if _several(case) else [], name=lambda door: door.name
)
"""The same, of several."""
NODES = About[HostAccess](
    things=lambda case: case.deployment.mta_hosts if _several(case) else [],
    name=_name,
    together=True,
)
"""Several MTA hosts, by what they report."""
BALANCER = About[str](
    things=lambda case: [case.settings.injection_host] if _several(case) else [], name=str
)
"""The name for injection, if a balancer is behind it."""
TARGETS = About[str](
    things=lambda case: [case.deployment.target_group] if case.deployment.target_group else [],
    name=lambda arn: arn.rpartition(":")[2],
)
"""The balancer's list of MTA hosts."""
ISSUED = About[Door](things=_issued, name=lambda door: door.name)
"""The same, if an authority issues its certificate."""
ZONE = About[str](things=lambda case: [case.settings.zone], name=str)
TOPIC = About[str](
    things=lambda case: [case.deployment.alarm_topic] if case.deployment.alarm_topic else [],
    name=lambda arn: arn.rpartition(":")[2],
)
"""The alarm topic, if operators are subscribed to one of ours."""
PROXIES = About[ProxyHost](things=lambda case: case.settings.proxies, name=_name)
BRANDS = About[Brand](things=lambda case: case.settings.brands, name=_name)
SOURCES = About[Egress](things=lambda case: case.deployment.egress.values(), name=_name)
DOMAINS = About[SenderDomain](things=chosen_domains, name=_name)
SELECTORS = About[Selector](things=_selectors, name=lambda each: f"{each.domain.name} {each.name}")
CHECKOUT = About[Path](things=lambda case: [case.options.folder], name=lambda folder: folder.name)
