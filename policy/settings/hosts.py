"""Hosts, their network and the KumoMTA that they run."""

from pydantic import Field

from policy.settings.base import Model, Name


class Network(Model):
    """The VPC."""

    cidr: str = Field(default="10.8.0.0/16", description="Addresses of the VPC.")
    subnets: tuple[str, str] = Field(
        default=("10.8.0.0/24", "10.8.1.0/24"), description="Public subnets, in two zones."
    )
    availability_zones: tuple[str, str] | None = Field(
        default=None, description="The two zones; the region's first two unless set."
    )


class Host(Model):
    """What MTA and proxy hosts have in common."""

    ami: str | None = Field(
        default=None,
        description="Ubuntu 22.04 image; unless set the newest at first creation, then kept.",
        examples=["ami-0123456789abcdef0"],
    )
    root_gib: int = Field(default=20, ge=8, description="Size of the root volume, in GiB.")
    subnet: int = Field(default=0, ge=0, le=1, description="Which of the two subnets.")


class MtaHost(Host):
    """The host of KumoMTA and Nginx."""

    host_name: str = Field(default="mta", description="Its first label in our zone.")
    instance_type: str = Field(default="c7g.xlarge", description="EC2 instance type.")
    allocation_id: str | None = Field(default=None, description="An existing Elastic IP.")
    spool_gib: int = Field(default=100, ge=1, description="Size of the spool volume, in GiB.")
    spool_iops: int = Field(default=3000, ge=3000, le=16000, description="IOPS of it.")
    spool_throughput: int = Field(
        default=250, ge=125, le=1000, description="Throughput of it, in MiB/s."
    )
    log_gib: int = Field(default=50, ge=1, description="Size of the log volume, in GiB.")
    expected_backlog: int = Field(
        default=1_000_000, ge=1, description="Messages that the spool must hold."
    )
    expected_message_kib: int = Field(
        default=50, ge=1, description="Size of an average message, in KiB."
    )


class ProxyHost(Host):
    """A host of KumoProxy."""

    name: Name = Field(description="Name of the proxy host; its first label in our zone.")
    instance_type: str = Field(default="t4g.small", description="EC2 instance type.")
    port: int = Field(default=5000, ge=1024, le=65535, description="SOCKS5 port.")
    authentication: bool = Field(
        default=False, description="Ask the MTA for a password (RFC 1929)."
    )


class KumoMTA(Model):
    """The release that hosts run."""

    version: str = Field(
        default="2026.06.23-f3af1cd0",
        description="Version of the package `kumomta`; 2026.06.23 or newer.",
    )
    preinstalled: bool = Field(
        default=False, description="Take the KumoMTA that the image brings; install none."
    )
