"""Entry of the background process: serves until it is told to end."""

import logging
import signal
import sys
import threading
from pathlib import Path

from sandbox.cloud_daemon import AwsListener, Settings, settings_of
from sandbox.layout import Layout
from sandbox.machine import MachineHosts, Site
from standins.pulumi import endpoints
from standins.pulumi.aws.moto_server import MotoServer
from standins.pulumi.hosts import Hosts, NoHosts
from standins.pulumi.service import Service


def main() -> None:
    """Serves with the settings of the state folder that the first argument names."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    state = Path(sys.argv[1])
    settings = settings_of(state)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    service = Service(lambda port: _hosts(settings, port), metadata_address=settings.address)
    if settings.aws is not None:
        _listen(service.moto, settings.aws)
    endpoints.write(state, service.endpoints)
    ended.wait()
    endpoints.forget(state)
    service.stop()


def _hosts(settings: Settings, metadata_port: int) -> Hosts:
    if settings.machine is None:
        return NoHosts()
    site = Site(
        image=settings.machine.image,
        kumomta=Path(settings.machine.kumomta),
        trusted=Path(settings.machine.trusted),
        metadata_port=metadata_port,
    )
    return MachineHosts(Layout.of_checkout(), site)


def _listen(moto: MotoServer, listener: AwsListener) -> None:
    certificate = (Path(listener.certificate), Path(listener.key))
    moto.listen(listener.address, listener.port, certificate=certificate)
