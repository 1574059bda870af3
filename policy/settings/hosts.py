"""Hosts, their network and their KumoMTA."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from hostagent.system import kumomta
from policy.settings.base import (
    Address,
    AllocationId,
    Cidr,
    ImageId,
    InstanceType,
    Kind,
    Label,
    Model,
    Name,
    unit,
)
from policy.settings.instances import Architecture, instance_types
from policy.settings.ubuntu import ubuntu_releases

KUMOMTA = "2026.09.29-b90d8bc1"
"""The version that hosts install by default."""


class Network(Model):
    """The VPC."""

    cidr: Cidr = Field(default="10.8.0.0/16", description="Addresses of the VPC.")
    subnets: tuple[Cidr, Cidr] = Field(
        default=("10.8.0.0/18", "10.8.64.0/18"),
        description="Public subnets, in two zones. Large ones, so that two names hardly ever mean "
        "the same private address.",
    )
    availability_zones: tuple[str, str] | None = Field(
        default=None,
        description="The two zones; by default the region's first two.",
        examples=[["eu-central-1a", "eu-central-1b"]],
    )


class Host(Model):
    """What MTA and proxy hosts have in common."""

    instance_type: InstanceType
    ami: ImageId | None = Field(
        default=None,
        description="Ubuntu image; unless set the newest at first creation, then kept. Name "
        "one when the instance type changes to another processor.",
        examples=["ami-0123456789abcdef0"],
    )
    root_gib: Annotated[int, unit("GiB")] = Field(
        default=20, ge=8, le=1000, description="Size of the root volume, in GiB."
    )
    architecture: Architecture | None = Field(
        default=None,
        description="Processor; needed for instance types that the table does not list.",
        examples=["arm64"],
    )
    addresses_per_interface: Annotated[int | None, unit("addresses")] = Field(
        default=None,
        ge=1,
        le=50,
        description="Private IPv4 addresses for each interface of an instance type that the "
        "table of types does not list.",
        examples=[4],
    )

    @property
    def processor(self) -> Architecture:
        """The processor that the image and the packages must be for."""
        if self.architecture is not None:
            return self.architecture
        return instance_types()[self.instance_type]["architecture"]

    @property
    def address_limit(self) -> int:
        """How many private addresses the host's interface may have."""
        if self.addresses_per_interface is not None:
            return self.addresses_per_interface
        return instance_types()[self.instance_type]["addresses"]


class MtaHosts(Host):
    """The hosts of KumoMTA and Nginx: equal nodes, named `mta-1`, `mta-2` and so on."""

    nodes: Annotated[int, unit("hosts")] = Field(
        default=1,
        ge=1,
        le=100,
        description="Number of MTA hosts. The last ones go first when it becomes smaller: drain "
        "them before.",
    )
    host_name: Label = Field(
        default="mta", description="First label of the name in our zone where PING8 injects."
    )
    subnet: Annotated[int, unit("index")] = Field(
        default=0,
        ge=0,
        le=1,
        description="Which of the two subnets has `mta-1`: 0 or 1. The others alternate.",
    )
    private_addresses: dict[Name, Address] = Field(
        default={},
        description="Private addresses by host; by default derived from the host's name.",
        examples=[{"mta-1": "10.8.0.20"}],
    )
    instance_type: InstanceType = Field(default="c7g.xlarge", description="EC2 instance type.")
    allocation_ids: dict[Name, AllocationId] = Field(
        default={},
        description="Existing Elastic IPs by host.",
        examples=[{"mta-1": "eipalloc-0123456789abcdef0"}],
    )
    spool_gib: Annotated[int, unit("GiB")] = Field(
        default=100, ge=1, le=65536, description="Size of the spool volume, in GiB."
    )
    spool_iops: Annotated[int, unit("IOPS")] = Field(
        default=3000, ge=3000, le=80000, description="IOPS of the spool volume."
    )
    spool_throughput: Annotated[int, unit("MiB/s")] = Field(
        default=250, ge=125, le=2000, description="Throughput of the spool volume, in MiB/s."
    )
    log_gib: Annotated[int, unit("GiB")] = Field(
        default=50, ge=1, le=65536, description="Size of the log volume, in GiB."
    )
    limits_node_type: Annotated[
        str, Field(pattern=r"^cache\.[a-z0-9]+\.[a-z0-9]+$"), Kind(name="ElastiCache node type")
    ] = Field(
        default="cache.t4g.small",
        description="Node type of the two ElastiCache servers in which several nodes count limits.",
    )
    expected_backlog: Annotated[int, unit("messages")] = Field(
        default=1_000_000, ge=1, description="Messages that each spool must have room for."
    )
    expected_message_kib: Annotated[int, unit("KiB")] = Field(
        default=50, ge=1, description="Size of an average message, in KiB."
    )

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of the MTA hosts; growing renames none of them."""
        return tuple(f"mta-{number}" for number in range(1, self.nodes + 1))

    def subnet_of(self, host: str) -> int:
        """The index of an MTA host's subnet: neighbours are in different zones."""
        return (self.subnet + self.host_names.index(host)) % 2


class ProxyHost(Host):
    """A host of KumoProxy."""

    name: Name = Field(
        description="Name of the proxy host; its first label in our zone.", examples=["proxy-1"]
    )
    instance_type: InstanceType = Field(default="t4g.small", description="EC2 instance type.")
    subnet: Annotated[int, unit("index")] = Field(
        default=0, ge=0, le=1, description="Which of the two subnets: 0 or 1."
    )
    private_address: Address | None = Field(
        default=None,
        description="Primary private address; by default derived from the host's name.",
        examples=["10.8.0.20"],
    )
    port: Annotated[int, unit("port")] = Field(
        default=5000, ge=1024, le=65535, description="SOCKS5 port."
    )
    primary_source: Name | None = Field(
        default=None,
        description="The source that uses the host's primary address; the first one unless set. "
        "Name it before you list another one in front of it.",
        examples=["out-1"],
    )
    authentication: bool = Field(
        default=False, description="Require a password from the MTA (RFC 1929)."
    )


def _kumomta_version(text: str) -> str:
    if not re.fullmatch(r"\d{4}\.\d{2}\.\d{2}-[0-9a-f]{7,12}", text):
        raise ValueError(
            f"write a release of the package kumomta such as {KUMOMTA}; "
            "builds of kumomta-dev are not supported"
        )
    known = kumomta.faults(text)
    if known:
        raise ValueError(f"use {KUMOMTA} or newer: in this version {'; '.join(known)}")
    return text


def _ubuntu(text: str) -> str:
    if text not in ubuntu_releases():
        raise ValueError(f"choose one of {', '.join(ubuntu_releases())}, in quotes")
    return text


class OperatingSystem(Model):
    """The hosts' Ubuntu."""

    release: Annotated[str, AfterValidator(_ubuntu), Kind(name="Ubuntu release")] = Field(
        default="22.04",
        description="Ubuntu release. KumoMTA has packages for 22.04; 24.04 uses the same packages.",
    )
    pro: bool = Field(
        default=False,
        description="Make hosts from the Ubuntu Pro image, which AWS bills by the hour: security "
        "updates for ten years. Existing hosts stay until they are replaced.",
    )


class Pin(Model):
    """What `ping8 kumomta pin` found in KumoMTA's repository; the command writes this table."""

    version: str = Field(description="The pinned version.", examples=[KUMOMTA])
    source: tuple[Annotated[str, Field(pattern=r"^deb [^\n]+$")], ...] = Field(
        min_length=1,
        description="The repository's apt sources.",
        examples=[["deb [arch=any] https://packages.example.com/ stable main"]],
    )
    fingerprint: Annotated[str, Field(pattern=r"^[0-9A-F]{40}$")] = Field(
        description="Fingerprint of the only key that may sign the repository.",
        examples=["0123456789ABCDEF0123456789ABCDEF01234567"],
    )
    digests: dict[Architecture, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        description="SHA-256 of the package by processor.",
        examples=[{"arm64": 32 * "ab"}],
    )


class KumoMTA(Model):
    """The KumoMTA release that hosts run."""

    version: Annotated[str, AfterValidator(_kumomta_version), Kind(name="version")] = Field(
        default=KUMOMTA,
        description="Version of the package `kumomta`; versions with known faults are rejected.",
    )
    preinstalled: bool = Field(
        default=False, description="Use the KumoMTA that is in the image, and install none."
    )
    pin: Pin | None = Field(
        default=None,
        description="Key and digests of the version; `ping8 kumomta pin VERSION` writes them.",
    )
