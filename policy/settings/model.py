"""The typed model of one environment: every setting of a stack file, with its default.

Secrets are deliberately not here: `policy.secrets` has them.
"""

import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from hostagent.release.model import Role
from policy.contract import DEFAULT_POOL, DEFAULT_SOURCE
from policy.settings import names
from policy.settings.base import (
    Duration,
    HostName,
    Model,
    Name,
    RecordName,
    Region,
    ZoneId,
    named,
    unit,
)
from policy.settings.dkim import DkimKeys
from policy.settings.domains import DomainDefaults, SenderDomain
from policy.settings.egress import Brand, Pool, Source
from policy.settings.hosts import KumoMTA, MtaHosts, Network, OperatingSystem, ProxyHost
from policy.settings.operation import Alarms, Doctor, Logs, Operators, Tokens
from policy.settings.reception import Certificate, Reception, Shaping
from policy.settings.webhook import Webhook

FILLED_IN = {
    "environment": "remove it: the stack's name is the environment",
    "region": "remove it, and set aws:region: resources and settings must use the same",
    "unpublished": "remove it, and run `ping8 domains check`, which finds out what DNS has",
}
"""Settings that the program fills in, with the fix for a stack file that has one."""


class Settings(Model):
    """One checked environment: every name is defined and every default filled in."""

    environment: Name = Field(description="The stack's name; the program fills it in.")
    region: Region = Field(description="AWS region (`aws:region`).", examples=["eu-central-1"])
    zone: HostName = Field(
        description="Our Route 53 zone, with the host names and EHLO names.",
        examples=["mail.example.com"],
    )
    zone_ids: dict[HostName, ZoneId] = Field(
        default={},
        description="Ids of Route 53 zones by name; needed if several public zones share a name.",
        examples=[{"example.com": "Z0123456789ABCDEFGHIJ"}],
    )
    adopt_records: tuple[RecordName, ...] = Field(
        default=(),
        description="Names whose records in Route 53 exist already and become this stack's: their "
        "values are overwritten, and a destroy deletes them.",
        examples=[["_dmarc.example.com"]],
    )
    account_checks: bool = Field(
        default=True,
        description="Look at preview whether AWS has room for what is made: quotas, and records "
        "that exist; false where its answers are wrong or may not be read.",
    )
    operators: Operators = Field(description="Who may log in, and who is notified.")
    webhook: Webhook = Field(description="PING8's endpoint for events.")
    domains: tuple[SenderDomain, ...] = Field(
        default=(),
        description="Sender domains: a bare name, or a table.",
        examples=[["example.com", {"name": "news.example.com", "brand": "news"}]],
    )
    domains_file: str | None = Field(
        default=None,
        description="File next to the stack file with more sender domains: a YAML list, or CSV "
        "whose first row names the columns (`name`, `brand`, `zone`, `bounce`, `feedback`).",
        examples=["prod.domains.yaml"],
    )
    domain_defaults: DomainDefaults = Field(
        default=DomainDefaults(),
        description="Defaults of sender domains; each domain may override them.",
    )
    unpublished: frozenset[str] = Field(
        default=frozenset(),
        description="Sender domains whose needed records are not in DNS; the program fills it in.",
    )
    brands: tuple[Brand, ...] = Field(
        default=(Brand(name="default", pool=DEFAULT_POOL),),
        description="Brands: each isolates the reputation of its sender domains.",
    )
    pools: tuple[Pool, ...] = Field(
        default=(Pool(name=DEFAULT_POOL, sources={DEFAULT_SOURCE: 1}),),
        description="Egress pools: weighted sets of egress sources.",
    )
    sources: tuple[Source, ...] = Field(
        default=(Source(name=DEFAULT_SOURCE, proxy="proxy-1", ehlo="out1"),),
        description="Egress sources: each is one public address with its EHLO name.",
    )
    proxies: tuple[ProxyHost, ...] = Field(
        default=(ProxyHost(name="proxy-1"),), description="Proxy hosts."
    )
    mta: MtaHosts = Field(default=MtaHosts(), description="The MTA hosts.")
    network: Network = Field(default=Network(), description="The VPC.")
    os: OperatingSystem = Field(
        default=OperatingSystem(), description="The hosts' operating system."
    )
    kumomta: KumoMTA = Field(default=KumoMTA(), description="Which KumoMTA.")
    certificate: Certificate = Field(
        default=Certificate(), description="Certificate of the injection host."
    )
    reception: Reception = Field(default=Reception(), description="What injection accepts.")
    shaping: Shaping = Field(default=Shaping(), description="Traffic shaping and warm-up.")
    tokens: Tokens = Field(default=Tokens(), description="Rotation of the generated tokens.")
    alarms: Alarms = Field(default=Alarms(), description="Thresholds and receivers of alarms.")
    logs: Logs = Field(default=Logs(), description="How long logs are kept.")
    doctor: Doctor = Field(default=Doctor(), description="What `ping8 doctor` checks.")
    elastic_ip_quota: Annotated[int, unit("addresses")] = Field(
        default=5, ge=1, description="Elastic IPs that AWS allows in the region."
    )
    protect: bool = Field(
        default=True,
        description="Protect addresses and volumes from deletion, and hosts from termination.",
    )
    push: Literal["changes", "always"] = Field(
        default="changes",
        description="`always` pushes releases again, which repairs hosts that drifted.",
    )
    push_time_limit: Duration = Field(default="15m", description="Time limit of one push.")
    tags: dict[str, str] = Field(
        default={},
        description="Tags of every resource.",
        examples=[{"cost-center": "messaging"}],
    )

    @property
    def injection_host(self) -> str:
        """The full name where PING8 injects, whichever MTA host answers."""
        return f"{self.mta.host_name}.{self.zone}"

    def full_name(self, host: str) -> str:
        """A host's own name in our zone."""
        return f"{host}.{self.zone}"

    def node_id(self, host: str) -> str:
        """KumoMTA's id of an MTA host, which each of its events carries as `nodeid`."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.full_name(host)))

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """Every host by name, the MTA hosts first."""
        proxies = (proxy.name for proxy in self.proxies)
        return {**dict.fromkeys(self.mta.host_names, "mta"), **dict.fromkeys(proxies, "proxy")}

    def source(self, name: str) -> Source:
        """The egress source of that name."""
        return named(self.sources, name)

    def ehlo(self, source: Source) -> str:
        """The full EHLO name; a stack file may write only its first label."""
        return source.ehlo if "." in source.ehlo else f"{source.ehlo}.{self.zone}"

    def sources_of(self, proxy: str) -> tuple[Source, ...]:
        """The sources on one proxy host; the first uses its primary private address."""
        first = next((host.primary_source for host in self.proxies if host.name == proxy), None)
        own = (source for source in self.sources if source.proxy == proxy)
        return tuple(sorted(own, key=lambda source: source.name != first))

    def brand(self, name: str) -> Brand:
        """The brand of that name."""
        return self._brands[name]

    @cached_property
    def _brands(self) -> Mapping[str, Brand]:
        return {brand.name: brand for brand in self.brands}

    @cached_property
    def zones(self) -> frozenset[str]:
        """Every Route 53 zone that the settings name."""
        return frozenset({self.zone, *(domain.zone for domain in self.domains if domain.zone)})

    def pool(self, name: str) -> Pool:
        """The egress pool of that name."""
        return named(self.pools, name)

    def proxies_of(self, pool: Pool) -> tuple[ProxyHost, ...]:
        """The proxy hosts that a pool's mail leaves through, in the order of `proxies`."""
        used = {self.source(name).proxy for name in pool.sources}
        return tuple(proxy for proxy in self.proxies if proxy.name in used)

    def zone_of(self, domain: SenderDomain) -> str | None:
        """The Route 53 zone of a sender domain's records; None if its DNS is elsewhere."""
        if domain.zone is not None:
            return domain.zone
        return self.zone if names.lies_in(domain.name, self.zone) else None

    def dkim_of(self, domain: SenderDomain) -> DkimKeys:
        """The DKIM keys that sign the mail of a sender domain: its own or its brand's."""
        return domain.dkim if domain.has_own_keys else self.brand(domain.brand).dkim

    def dkim_keys(self) -> dict[str, DkimKeys]:
        """All DKIM keys by their owner: a brand or a sender domain."""
        return {domain.key_owner: self.dkim_of(domain) for domain in self.domains}

    def elastic_ips(self) -> int:
        """How many Elastic IPs are needed: a load balancer has one in each subnet."""
        balancer = len(self.network.subnets) if self.mta.nodes > 1 else 0
        return self.mta.nodes + len(self.sources) + balancer

    def is_held(self, domain: SenderDomain) -> bool:
        """Whether injection is refused for now, until its owner has published its records."""
        return domain.when_unpublished == "hold" and domain.name in self.unpublished

    def takes_reports(self) -> bool:
        """Whether any bounce or feedback domain exists; only then is port 25 of the MTA open."""
        return bool(self.domains)
