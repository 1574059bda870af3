"""Seconds of `ping8 doctor` for one and for a hundred sender domains, with DNS on loopback.

`python -m benchmarks.doctor [DOMAINS ...]`. The DNS server is a process of its own and answers each
query after the delay of a resolver nearby; hosts answer at once.
"""

import multiprocessing
import multiprocessing.connection
import socketserver
import sys
import time
from collections.abc import Sequence
from typing import Any
from unittest import mock

from ops.doctor import command
from ops.doctor.case import Options
from ops.doctor.finding import Status
from ops.stack import Deployment, HostAccess
from tests.examples import SMALL
from tests.ops.doctor import dns_server
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.test_command import DER, zone_of

_DELAY = 0.01


def deployed(domains: int) -> Deployment:
    """A stack with that many sender domains in Route 53."""
    names = [f"d{number}.example.com" for number in range(domains)]
    return deployment_of(SMALL, domains=[{"name": n, "zone": "example.com"} for n in names])


def serve(ready: multiprocessing.connection.Connection, domains: int) -> None:
    """The DNS server."""
    play = dns_server.Server(records=zone_of(deployed(domains)))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            answer = dns_server.answer(data, play)
            time.sleep(_DELAY)
            sock.sendto(answer, self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        ready.send(server.server_address[1])
        server.serve_forever()


def measure(domains: int) -> tuple[float, int, int]:
    """Seconds, findings, and how many of them are not well."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, domains), daemon=True)
    process.start()
    port = here.recv()
    deployment = deployed(domains)

    def agent(_host: HostAccess, _verb: Sequence[str], **_more: Any) -> Any:
        return {f"d{n}.example.com/{s}": DER for n in range(domains) for s in ("s1", "s2")}

    options = Options(folder=command._checkout(), exchanger="example.com", only=("domains",))
    start = time.monotonic()
    with mock.patch("ops.doctor.command.ssh_json", agent):
        findings = command.look(deployment, options, (f"127.0.0.1:{port}",), seconds=120)
    seconds = time.monotonic() - start
    process.terminate()
    return seconds, len(findings), sum(f.status is not Status.PASS for f in findings)


def main() -> None:
    """Prints a line for each number of domains."""
    for domains in [int(text) for text in sys.argv[1:]] or [1, 100]:
        seconds, findings, bad = measure(domains)
        print(f"{domains:5} domains: {seconds:5.1f} s, {findings} findings, {bad} not well")


if __name__ == "__main__":
    main()
