"""AWS on this machine: the providers' process, told what hosts are made of and where it listens."""

from sandbox import cloud_daemon as daemon
from sandbox.authority import Authority
from sandbox.cloud_daemon import AwsListener, MachineSettings, Settings
from sandbox.kumomta import KumoTree
from sandbox.layout import Layout
from sandbox.network import MACHINE
from standins.pulumi.endpoints import Endpoints
from standins.pulumi.hosts import Record, Zone

_NAMES = ("amazonaws.com", "*.amazonaws.com", "*.eu-central-1.amazonaws.com")


def start(layout: Layout, image: str, tree: KumoTree) -> Endpoints:
    """Starts it unless it runs, and returns where its providers listen."""
    authority = Authority(folder=layout.authority)
    certificate = authority.issue("aws", *_NAMES, MACHINE)
    return daemon.start(
        layout.daemons,
        Settings(
            address=MACHINE,
            machine=MachineSettings(
                image=image, kumomta=str(tree.path), trusted=str(authority.certificate)
            ),
            aws=AwsListener(
                address=MACHINE,
                port=443,
                certificate=str(certificate.chain),
                key=str(certificate.key),
            ),
        ),
    )


def stop(layout: Layout) -> None:
    """Ends it, and with it the account: its state lives as long as the process."""
    daemon.stop(layout.daemons)


def running(layout: Layout) -> bool:
    """Whether it runs."""
    return daemon.endpoints(layout.daemons) is not None


def zone() -> Zone:
    """AWS's endpoint names, led to this machine."""
    record = Record(name="*.amazonaws.com", type="A", values=(MACHINE,))
    return Zone(name="amazonaws.com", records=(record,))
