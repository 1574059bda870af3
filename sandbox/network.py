"""The cloud's network on one machine: a router between hosts, the outside world and this machine.

The router is a network namespace of its own, so no rule, route or setting of the machine's own
network changes, except one link with routes to the sandbox's test networks. Each host, the outside
world and the machine have their own link to it; the router answers ARP for the others. So every
packet, even between two hosts of a subnet, crosses the fence, as on AWS.
"""

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address, ip_network

from sandbox.fence import Fence, Redirect, render
from sandbox.process import SandboxError, run
from standins.pulumi.hosts import Interface, Rule

__all__ = ["Cloud", "Fence", "Interface", "Redirect", "Rule"]

OUTSIDE = "198.51.100.0/24"
ELASTIC = "203.0.113.0/24"
MACHINE = "198.51.100.1"
"""This machine, as hosts see it: where operators come from."""

_GATEWAY = "198.51.100.254"

HOST_DEVICE = "ens5"
"""Name of a host's interface, as on EC2."""

_WORLD_DEVICE = "outside0"
_OUTSIDE_LINKS = "o-*"

_ONE_AT_A_TIME = threading.Lock()
"""Routes need links that are up, and threads attach and detach hosts while others apply rules."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One network of the sandbox; everything it creates has its prefix.

    `machine` links this machine's own network to it; a test of only the network does not need it.
    """

    prefix: str = "ping8"
    machine: bool = True

    @property
    def router(self) -> str:
        return f"{self.prefix}-cloud"

    @property
    def world(self) -> str:
        """Namespace of the outside world's servers."""
        return f"{self.prefix}-world"

    def namespace(self, interface: str) -> str:
        """Namespace of the host that has the interface."""
        return f"{self.prefix}-h-{interface}"

    def inside(self, namespace: str, *command: str) -> tuple[str, ...]:
        """The command to run in a namespace's network."""
        return ("nsenter", f"--net=/run/netns/{namespace}", "--", *command)

    def up(self, *, world_addresses: tuple[str, ...] = ()) -> None:
        """Create the router and its outside links; repeating it changes nothing."""
        present = self._namespaces()
        if self.router not in present:
            self._make_router()
        if self.world not in present:
            self._make_namespace(self.world)
            self._link(self.world, _WORLD_DEVICE, "o-world")
            _ip(f"-n {self.world} route add default via {_GATEWAY} dev {_WORLD_DEVICE} onlink")
        for address in world_addresses:
            _ip(f"-n {self.world} addr replace {address}/32 dev {_WORLD_DEVICE}")
            self._route(address, "o-world")
        if self.machine:
            if not self._machine_linked():
                self._link_machine()
            self._route_machine(world_addresses, within=OUTSIDE)

    def attach(self, interface: Interface) -> str:
        """Make a host's namespace with its interface and return the namespace's path."""
        name = self.namespace(interface.name)
        with _ONE_AT_A_TIME:
            if name not in self._namespaces():
                self._make_namespace(name)
                link = _link_name(interface.name)
                self._link(name, HOST_DEVICE, link)
                _ip(f"-n {name} addr add {interface.address}/{interface.prefix} dev {HOST_DEVICE}")
                _ip(f"-n {name} route add default via {interface.gateway}")
            self._route_interface(interface)
        return f"/run/netns/{name}"

    def detach(self, interface_name: str) -> None:
        """Remove a host's namespace; its container must be gone."""
        with _ONE_AT_A_TIME:
            if self.namespace(interface_name) in self._namespaces():
                # The link goes first: a namespace that a process still holds would keep it.
                _ip(f"-n {self.router} link del {_link_name(interface_name)}", check=False)
                _ip(f"netns del {self.namespace(interface_name)}")

    def apply(self, fence: Fence) -> None:
        """Apply the rules and routes of the whole VPC, in one transaction."""
        with _ONE_AT_A_TIME:
            present = self._namespaces()
            for interface in fence.interfaces:
                if self.namespace(interface.name) in present:
                    self._route_interface(interface)
        if self.machine:
            self._route_machine(fence.elastic, within=ELASTIC)
            # Answers of link-local services on this machine go back to private addresses.
            private = [address for each in fence.interfaces for address in each.addresses]
            self._route_machine(private, within=fence.vpc)
        self._nft(render(fence, outside=_OUTSIDE_LINKS))

    def down(self) -> None:
        """Remove everything that carries the prefix."""
        for name in self._namespaces():
            if name.startswith(f"{self.prefix}-h-") or name in (self.world, self.router):
                for pid in _ip(f"netns pids {name}", check=False).split():
                    run(["kill", "-9", pid], check=False)
                _ip(f"netns del {name}")
        # The link may already be gone with the namespace of its other end.
        _ip(f"link del {self._machine_device}", check=False)

    @property
    def _machine_device(self) -> str:
        return f"{self.prefix}0"

    def _namespaces(self) -> set[str]:
        listed = json.loads(_ip("-json netns list") or "[]")
        return {each["name"] for each in listed}

    def _make_namespace(self, name: str) -> None:
        _ip(f"netns add {name}")
        _ip(f"-n {name} link set lo up")
        self._sysctl(name, "net.ipv6.conf.all.disable_ipv6=1")

    def _make_router(self) -> None:
        self._make_namespace(self.router)
        _ip(f"-n {self.router} addr add {_GATEWAY}/32 dev lo")
        self._sysctl(
            self.router,
            "net.ipv4.ip_forward=1",
            "net.ipv4.conf.all.send_redirects=0",
            "net.ipv4.conf.default.send_redirects=0",
            # EC2's check that a host sends only from its own addresses.
            "net.ipv4.conf.default.rp_filter=1",
            "net.ipv4.conf.default.proxy_arp=1",
        )
        # Nothing passes until the first fence is applied.
        self._nft(render(Fence(vpc="0.0.0.0/32"), outside=_OUTSIDE_LINKS))

    def _link(self, namespace: str, device: str, router_device: str) -> None:
        pair = f"{router_device} type veth peer name {device} netns {namespace}"
        _ip(f"-n {self.router} link add {pair}")
        _ip(f"-n {namespace} link set {device} up")
        self._raise_router_end(router_device)

    def _raise_router_end(self, device: str) -> None:
        _ip(f"-n {self.router} link set {device} up")
        # No delay: it is meant for routers that share a wire.
        self._sysctl(self.router, f"net.ipv4.neigh.{device}.proxy_delay=0")

    def _route_interface(self, interface: Interface) -> None:
        _ip(f"-n {self.router} addr replace {interface.gateway}/32 dev lo")
        for address in interface.addresses:
            self._route(address, _link_name(interface.name))

    def _route(self, address: str, device: str) -> None:
        _ip(f"-n {self.router} route replace {address}/32 dev {device}")

    def _machine_linked(self) -> bool:
        return bool(_ip(f"link show {self._machine_device}", check=False))

    def _link_machine(self) -> None:
        device = self._machine_device
        for network in (OUTSIDE, ELASTIC):
            _require_free(network)
        _ip(f"link add {device} type veth peer name o-machine netns {self.router}")
        self._raise_router_end("o-machine")
        _ip(f"addr add {MACHINE}/32 dev {device}")
        _ip(f"link set {device} up")
        self._route(MACHINE, "o-machine")

    def _route_machine(self, addresses: Iterable[str], *, within: str) -> None:
        """This machine's routes into one network: to these addresses and no others."""
        device, network = self._machine_device, IPv4Network(within)
        shown = _ip(f"-json -4 route show dev {device}")
        destinations = (str(route["dst"]) for route in json.loads(shown or "[]"))
        present = {each for each in destinations if IPv4Network(each).subnet_of(network)}
        wanted = {each for each in addresses if ip_address(each) in network}
        if wanted and not present:
            _require_free(within, but=device)
        for gone in present - wanted:
            _ip(f"route del {gone} dev {device}", check=False)
        for new in sorted(wanted - present):
            path = f"via {_GATEWAY} dev {device} onlink src {MACHINE}"
            _ip(f"route replace {new}/32 {path}")

    def _sysctl(self, namespace: str, *settings: str) -> None:
        run(self.inside(namespace, "sysctl", "-q", "-w", *settings))

    def _nft(self, script: str) -> None:
        run(self.inside(self.router, "nft", "-f", "-"), stdin=script)


def _ip(words: str, *, check: bool = True) -> str:
    """Run `ip`, and return what it prints."""
    return run(["ip", *words.split()], check=check).stdout


def _link_name(interface: str) -> str:
    # A device's name is limited to 15 characters.
    return "v-" + hashlib.sha256(interface.encode()).hexdigest()[:12]


def _require_free(network: str, *, but: str = "") -> None:
    """Refuse a network that this machine uses already, except on device `but`."""
    ours = ip_network(network)
    for route in json.loads(_ip("-json -4 route show") or "[]"):
        if route["dst"] == "default" or route.get("dev") == but:
            continue
        if ip_network(route["dst"], strict=False).overlaps(ours):
            raise SandboxError(
                f"network {network} is in use on this machine (route {route['dst']} dev "
                f"{route.get('dev', '?')}); the sandbox needs it"
            )
