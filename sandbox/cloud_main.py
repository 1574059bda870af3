"""Entry of the background process: serves until it is stopped."""

import logging
import signal
import sys
import threading
from pathlib import Path

from sandbox.cloud import announce, forget, settings_of
from sandbox.layout import Layout
from sandbox.machine import MachineHosts
from standins.pulumi.hosts import Hosts
from standins.pulumi.service import Service

_ELASTIC_IPS = 20
"""The account's quota, after the request that every real one needs for several nodes."""


def main(state: Path) -> None:
    """Serves with the settings of its state folder."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    settings, site = settings_of(state), settings_of(state).site
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    service = Service(
        lambda port: MachineHosts(Layout.of_checkout(), site, port) if site else Hosts(),
        metadata_address=settings.address,
    )
    service.account.conditions.elastic_ips = _ELASTIC_IPS
    if settings.aws is not None:
        certificate = (settings.aws.chain, settings.aws.key)
        service.moto.listen(settings.address, 443, certificate=certificate)
    announce(state, service.endpoints)
    ended.wait()
    forget(state)
    service.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
