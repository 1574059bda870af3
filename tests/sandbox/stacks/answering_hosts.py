"""Hosts that are nothing but an SSH server: they take a push and report its release.

Each listens at its Elastic IP, which is therefore of the loopback network, with the host key that
cloud-init would have installed, and lets the deploy key in that user data names.
"""

import asyncio
import json
import threading
from dataclasses import dataclass
from typing import Any

import asyncssh
import yaml

from policy.compressed import decompressed
from standins.pulumi.hosts import Hosts, Machine, Network

ELASTIC_RANGE = "127.88.0.0/24"
_PORT = 22


@dataclass(frozen=True, kw_only=True)
class _Login:
    host_key: asyncssh.SSHKey
    authorized: asyncssh.SSHAuthorizedKeys


class AnsweringHosts(Hosts):
    """Listens wherever an Elastic IP leads to a launched machine's primary address."""

    def __init__(self) -> None:
        self._logins: dict[str, _Login] = {}
        self._listening: dict[tuple[str, str], Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.releases: dict[str, str] = {}

    def stop_all(self) -> None:
        """Ends the servers."""
        for address, instance in list(self._listening):
            self._close(address, instance)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def launch(self, machine: Machine) -> None:
        data = yaml.safe_load(machine.user_data)
        (user,) = data["users"]
        self._logins[machine.interface.address] = _Login(
            host_key=asyncssh.import_private_key(data["ssh_keys"]["ed25519_private"]),
            authorized=asyncssh.import_authorized_keys("\n".join(user["ssh_authorized_keys"])),
        )

    def apply_network(self, network: Network) -> None:
        wanted = {
            (public, private)
            for public, private in network.elastic.items()
            if private in self._logins
        }
        for gone in set(self._listening) - wanted:
            self._close(*gone)
        for public, private in wanted - set(self._listening):
            listening = asyncio.run_coroutine_threadsafe(self._listen(public, private), self._loop)
            self._listening[public, private] = listening.result()

    async def _listen(self, public: str, private: str) -> Any:
        login = self._logins[private]
        return await asyncssh.listen(
            public,
            _PORT,
            server_host_keys=[login.host_key],
            authorized_client_keys=login.authorized,
            process_factory=self._take,
        )

    def _close(self, public: str, private: str) -> None:
        self._loop.call_soon_threadsafe(self._listening.pop((public, private)).close)

    async def _take(self, process: asyncssh.SSHServerProcess[str]) -> None:
        bundle = json.loads(decompressed(await process.stdin.read()))
        host, release = bundle["facts"]["name"], bundle["release"]["id"]
        previous, self.releases[host] = self.releases.get(host, ""), release
        process.stdout.write(json.dumps({"release": release, "previous": previous}) + "\n")
        process.exit(0)
