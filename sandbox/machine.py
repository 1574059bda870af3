"""The aws provider's effects on this machine: instances as containers, the fence, DNS."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import dns
from sandbox.authority import Authority
from sandbox.balancer import BalancerServers
from sandbox.containers import RESOLVER, Containers, Host
from sandbox.fence import Fence, Redirect
from sandbox.kumomta import PREPARE, UNIT
from sandbox.layout import Layout
from sandbox.limits import LimitsServer
from sandbox.network import MACHINE, Cloud
from sandbox.volumes import Volumes
from standins.pulumi.hosts import Balancer, Hosts, Limits, Machine, Network, Zone

METADATA = "169.254.169.254"
CLOCK = {
    "/etc/systemd/system/chrony.service.d/container.conf": (
        "[Unit]\nConditionCapability=\n[Service]\nExecStart=\nExecStart=!/usr/sbin/chronyd -x\n"
    ),
    "/etc/chrony/conf.d/container.conf": "local stratum 10\n",
}
"""A container has this machine's clock: chrony trusts it and does not set it."""

ROUTE_53 = "route-53"
REVERSE = "reverse"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What every host of this sandbox is made from; `trusted` is a file of authorities in PEM."""

    image: str
    kumomta: Path
    trusted: Path


class MachineHosts(Hosts):
    """Real effects, with containers.

    The engine makes requests in parallel, but a host's volumes and a volume's device change one at
    a time.
    """

    def __init__(self, layout: Layout, site: Site, metadata_port: int) -> None:
        self._turn = threading.Lock()
        self._site = site
        self._metadata_port = metadata_port
        self._cloud = Cloud()
        self._volumes = Volumes(folder=layout.volumes)
        self._containers = containers(layout)
        self._authority = dns.Authority(folder=layout.dns, cloud=self._cloud)
        self._limits = limits_server(layout)
        self._balancer = BalancerServers(folder=layout.balancer, cloud=self._cloud)

    def launch(self, machine: Machine) -> None:
        """Boots a container with the user data and KumoMTA's tree, as in an image."""
        if machine.instance_id in self._containers.names():
            return
        self._containers.create(
            Host(
                name=machine.instance_id,
                hostname=machine.hostname,
                image=self._site.image,
                interface=machine.interface,
                user_data=machine.user_data,
                trees={"/opt/kumomta": self._site.kumomta},
                files={"/lib/systemd/system/kumomta.service": UNIT, **CLOCK},
                prepare=PREPARE,
                trusted=self._site.trusted.read_text(),
            )
        )

    def terminate(self, instance_id: str) -> None:
        self._containers.remove(instance_id)

    def stop(self, instance_id: str) -> None:
        if self._containers.running(instance_id):
            self._containers.stop(instance_id)

    def start(self, instance_id: str) -> None:
        if not self._containers.running(instance_id):
            self._containers.start(instance_id)

    def size_volume(self, volume_id: str, gib: int) -> None:
        with self._turn:
            self._volumes.create(volume_id, gib=gib)

    def attach(self, instance_id: str, volume_id: str) -> None:
        with self._turn:
            self._containers.attach(instance_id, volume_id)

    def detach(self, instance_id: str, volume_id: str) -> None:
        with self._turn:
            if volume_id in self._containers.attached(instance_id):
                self._containers.detach(instance_id, volume_id)

    def delete_volume(self, volume_id: str) -> None:
        with self._turn:
            self._volumes.delete(volume_id)

    def share_limits(self, limits: Limits | None) -> None:
        with self._turn:
            if limits is None:
                self._limits.end()
            else:
                self._limits.serve(limits)

    def balance(self, balancer: Balancer | None) -> None:
        with self._turn:
            if balancer is None:
                self._balancer.end()
            else:
                self._balancer.serve(balancer)

    def apply_network(self, network: Network) -> None:
        """The VPC's fence, with the services that AWS offers at link-local addresses."""
        services = (
            Redirect("tcp", METADATA, 80, MACHINE, self._metadata_port),
            Redirect("tcp", RESOLVER, 53, dns.SERVER, 53),
            Redirect("udp", RESOLVER, 53, dns.SERVER, 53),
        )
        self._cloud.apply(Fence(**vars(network), services=services))

    def publish_dns(self, zones: Sequence[Zone], reverse: dict[str, str]) -> None:
        """Publishes Route 53's records and the PTR records of Elastic IPs."""
        self._authority.publish(ROUTE_53, zones)
        self._authority.publish(REVERSE, dns.reverse_zones(reverse))


def containers(layout: Layout) -> Containers:
    """The hosts of this sandbox."""
    return Containers(cloud=Cloud(), state=layout.hosts, volumes=Volumes(folder=layout.volumes))


def limits_server(layout: Layout) -> LimitsServer:
    """The server of the shared limits of this sandbox."""
    return LimitsServer(
        folder=layout.limits,
        cloud=Cloud(),
        authority=Authority(folder=layout.authority),
        names=dns.Authority(folder=layout.dns, cloud=Cloud()),
    )
