"""What the aws provider needs from the machine: hosts, disks, rules and names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Record:
    """A record set; names without the final dot, values in presentation form, as in Route 53."""

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int = 5


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A zone with its records."""

    name: str
    records: tuple[Record, ...]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One security group rule; exactly one of `cidr` and `peer_group` names the other side."""

    group: str
    direction: Literal["ingress", "egress"]
    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidr: str | None = None
    peer_group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface of an instance.

    The instance's own system configures `secondary` addresses, as on EC2; they are only routed.
    """

    name: str
    address: str
    prefix: int
    secondary: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.address, *self.secondary)

    @property
    def gateway(self) -> str:
        """First address of the subnet, as on AWS."""
        return str(ip_network(f"{self.address}/{self.prefix}", strict=False)[1])


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A new instance: what cloud-init and the network need to know."""

    instance_id: str
    interface: Interface
    user_data: str = field(repr=False)
    hostname: str


@dataclass(frozen=True, kw_only=True)
class Network:
    """The whole VPC as it should be now."""

    vpc: str
    interfaces: tuple[Interface, ...] = ()
    rules: tuple[Rule, ...] = ()
    elastic: dict[str, str] = field(default_factory=dict)
    """Public addresses to private ones."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The server in which MTA hosts count together; `users` are ACL rules, passwords in them."""

    name: str
    interface: Interface
    port: int
    users: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Balancer:
    """A network load balancer: an interface in each zone, and where it asks for a target's health.

    `targets` are addresses and ports.
    """

    interfaces: tuple[Interface, ...]
    port: int
    targets: tuple[tuple[str, int], ...]
    path: str
    seconds: int
    healthy: int
    unhealthy: int


class Hosts:
    """Effects on the machine. Each may be repeated; the second time changes nothing.

    By itself it has none, for runs without containers: the account's state is all there is.
    """

    def launch(self, machine: Machine) -> None:
        """Boot a host; returns once it runs, before cloud-init is done."""

    def terminate(self, instance_id: str) -> None:
        """Remove a host; its volumes stay."""

    def stop(self, instance_id: str) -> None:
        """Shut a host down, keeping its root disk."""

    def start(self, instance_id: str) -> None:
        """Boot a stopped host again."""

    def size_volume(self, volume_id: str, gib: int) -> None:
        """Create a blank volume, or let an existing one grow."""

    def attach(self, instance_id: str, volume_id: str) -> None:
        """Attach the block device to a host."""

    def detach(self, instance_id: str, volume_id: str) -> None:
        """Detach the block device; its content stays."""

    def delete_volume(self, volume_id: str) -> None:
        """Destroy the volume's content."""

    def share_limits(self, limits: Limits | None) -> None:
        """Serve the shared limits; None ends it."""

    def balance(self, balancer: Balancer | None) -> None:
        """Pass connections on to the targets that are healthy; None ends it."""

    def apply_network(self, network: Network) -> None:
        """Apply addresses, translation and security groups."""

    def publish_dns(self, zones: Sequence[Zone], reverse: dict[str, str]) -> None:
        """Serve the zones, and `reverse` (address to name) as PTR records."""
