"""AWS on this machine as one background process: moto, its metadata service and the providers.

State lives in the process: when it ends, the account is empty again.
"""

import signal
import sys
import threading
from pathlib import Path

from sandbox import dns
from sandbox.authority import Authority
from sandbox.failures import SandboxError
from sandbox.kumomta import KumoTree
from sandbox.layout import Layout
from sandbox.machine import MachineHosts, Site
from sandbox.network import MACHINE
from sandbox.process import Daemon, wait_until
from sandbox.providers import endpoints
from sandbox.providers.endpoints import Endpoints
from sandbox.providers.service import Service

_NAMES = ("amazonaws.com", "*.amazonaws.com", "*.eu-central-1.amazonaws.com")
_METADATA_PORT = 8169
_PATIENCE = 60


def start(layout: Layout, image: str, tree: KumoTree) -> Endpoints:
    """Starts it unless it runs, and returns where its providers listen."""
    daemon = _daemon(layout, image, tree.path)
    if daemon.pid() is None:
        endpoints.forget(layout.state)
        Authority(folder=layout.authority).issue("aws", *_NAMES, MACHINE)
        daemon.start()

    def announced() -> bool:
        daemon.require_alive()
        return endpoints.read(layout.state) is not None

    wait_until(announced, "the cloud's providers", seconds=_PATIENCE)
    found = endpoints.read(layout.state)
    if found is None:
        raise SandboxError("the cloud's providers ended at once")
    return found


def stop(layout: Layout) -> None:
    """Ends it, and with it the account."""
    _daemon(layout, "", Path()).stop()
    endpoints.forget(layout.state)


def running(layout: Layout) -> bool:
    """Whether it runs."""
    return _daemon(layout, "", Path()).pid() is not None


def zone() -> dns.Zone:
    """AWS's endpoint names, led to this machine."""
    record = dns.Record(name="*.amazonaws.com", type="A", values=(MACHINE,))
    return dns.Zone(name="amazonaws.com", records=(record,))


def _daemon(layout: Layout, image: str, tree: Path) -> Daemon:
    command = ("env", f"PYTHONPATH={layout.root}", sys.executable, "-m", "sandbox.cloud")
    return Daemon(
        name="cloud",
        folder=layout.daemons,
        command=(*command, str(layout.root), image, str(tree)),
    )


def _serve(layout: Layout, image: str, tree: Path) -> None:
    authority = Authority(folder=layout.authority)
    site = Site(
        image=image,
        kumomta=tree,
        trusted=authority.certificate,
        metadata_port=_METADATA_PORT,
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    service = Service(MachineHosts(layout, site))
    certificate = authority.issue("aws", *_NAMES, MACHINE)
    service.moto.listen(MACHINE, 443, certificate=(certificate.chain, certificate.key))
    service.metadata.listen(MACHINE, _METADATA_PORT)
    endpoints.write(layout.state, service.endpoints)
    ended.wait()
    service.stop()


if __name__ == "__main__":
    _serve(Layout(root=Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]))
