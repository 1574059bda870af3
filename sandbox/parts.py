"""The parts of a sandbox besides AWS, whether it is running or not."""

from collections.abc import Mapping

from ops.local import SANDBOX
from ops.stack import Deployment, read_deployment
from sandbox import cloud, dns, system
from sandbox.acme import Acme
from sandbox.authority import Authority
from sandbox.balancer import BalancerServers
from sandbox.layout import Layout
from sandbox.machine import ROUTE_53, containers, limits_server
from sandbox.network import Cloud
from sandbox.process import SandboxError
from sandbox.world import World
from standins.pulumi.hosts import Zone

STACK = SANDBOX


class Parts:
    """Its network, servers and hosts."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.net = Cloud()
        self.authority = Authority(folder=layout.authority)
        self.names = dns.Authority(folder=layout.dns, cloud=self.net)
        self.acme = Acme(
            folder=layout.acme, cache=layout.cache, cloud=self.net, authority=self.authority
        )
        self.world = World(
            folder=layout.world, root=layout.root, cloud=self.net, authority=self.authority
        )
        self.hosts = containers(layout)
        self.limits = limits_server(layout)
        self.balancer = BalancerServers(folder=layout.balancer, cloud=self.net)

    @property
    def zones(self) -> list[Zone]:
        """What Route 53 serves."""
        return self.names.published(ROUTE_53)

    @property
    def trusted(self) -> str:
        """Authorities that PING8 trusts here: the sandbox's own, and the ACME server's roots."""
        paths = (self.authority.certificate, self.acme.roots)
        return "".join(path.read_text() for path in paths if path.exists())


def require_up(layout: Layout) -> None:
    """Raise if no sandbox is up, or none that a deployment could have reached."""
    system.require_fit_system()
    if not cloud.endpoints(layout.daemons) or not layout.backend.exists():
        raise SandboxError("no sandbox is up here; `make sandbox` brings one up")


def deployment(layout: Layout) -> Deployment:
    """The live deployment, as the operators' commands read it."""
    require_up(layout)
    return read_deployment(STACK)


def status(layout: Layout) -> Mapping[str, bool]:
    """Which parts of the sandbox are running."""
    parts = Parts(layout)
    return {
        "cloud": cloud.endpoints(layout.daemons) is not None,
        "dns": parts.names.running(),
        "acme": parts.acme.running(),
        "world": parts.world.running(),
        **({"limits": parts.limits.running()} if parts.limits.used else {}),
        **({"balancer": parts.balancer.running()} if parts.balancer.used else {}),
        **{f"host {name}": running for name, running in parts.hosts.states().items()},
    }
