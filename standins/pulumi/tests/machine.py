"""A machine that only records what it is asked to do."""

from collections.abc import Sequence

from standins.pulumi.hosts import Balancer, Hosts, Limits, Machine, Network, Zone


class RecordingHosts(Hosts):
    """Acts in order, and the newest network and zones."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, ...]] = []
        self.machines: list[Machine] = []
        self.network: Network | None = None
        self.zones: list[Zone] = []
        self.reverse: dict[str, str] = {}
        self.limits: Limits | None = None
        self.balancer: Balancer | None = None
        self.fails_to_launch = False

    def launch(self, machine: Machine) -> None:
        if self.fails_to_launch:
            raise RuntimeError("no room for another host")
        self.acts.append(("launch", machine.instance_id))
        self.machines.append(machine)

    def terminate(self, instance_id: str) -> None:
        self.acts.append(("terminate", instance_id))

    def stop(self, instance_id: str) -> None:
        self.acts.append(("stop", instance_id))

    def start(self, instance_id: str) -> None:
        self.acts.append(("start", instance_id))

    def size_volume(self, volume_id: str, gib: int) -> None:
        self.acts.append(("size", volume_id, str(gib)))

    def attach(self, instance_id: str, volume_id: str) -> None:
        self.acts.append(("attach", instance_id, volume_id))

    def detach(self, instance_id: str, volume_id: str) -> None:
        self.acts.append(("detach", instance_id, volume_id))

    def delete_volume(self, volume_id: str) -> None:
        self.acts.append(("delete", volume_id))

    def share_limits(self, limits: Limits | None) -> None:
        self.limits = limits

    def balance(self, balancer: Balancer | None) -> None:
        self.balancer = balancer

    def apply_network(self, network: Network) -> None:
        self.network = network

    def publish_dns(self, zones: Sequence[Zone], reverse: dict[str, str]) -> None:
        self.zones = list(zones)
        self.reverse = dict(reverse)
