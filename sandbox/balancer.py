"""The load balancer: a real HAProxy at each of its interfaces, set up as AWS's balancers behave."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from sandbox.files import fill, replace
from sandbox.network import Cloud
from sandbox.process import Daemon
from standins.pulumi.hosts import Balancer, Interface

_BALANCER = TypeAdapter(Balancer)


@dataclass(frozen=True, kw_only=True)
class BalancerServers:
    """HAProxy, once for each zone; `folder` holds its files."""

    folder: Path
    cloud: Cloud

    def serve(self, balancer: Balancer) -> None:
        """Start it. With other targets it starts anew, which ends the connections through it."""
        if self.used and self._balancer() == balancer:
            return
        self.stop()
        replace(self._settings, _BALANCER.dump_json(balancer))
        for interface in balancer.interfaces:
            self.cloud.attach(interface)
            text = fill("haproxy.cfg.j2", balancer=balancer, address=interface.address)
            replace(self._configuration(interface), text)
        self.start()

    def start(self) -> None:
        """Start it, if there is one."""
        for daemon in self._daemons():
            daemon.start()

    def stop(self) -> None:
        """Stop it."""
        for daemon in self._daemons():
            daemon.stop()

    def end(self) -> None:
        """Remove it with its interfaces."""
        if self.used:
            self.stop()
            for interface in self._balancer().interfaces:
                self.cloud.detach(interface.name)
            self._settings.unlink()

    def running(self) -> bool:
        """Whether it runs in every zone."""
        return all(daemon.pid() is not None for daemon in self._daemons())

    @property
    def used(self) -> bool:
        """Whether the stack has one."""
        return self._settings.exists()

    @property
    def _settings(self) -> Path:
        return self.folder / "balancer.json"

    def _balancer(self) -> Balancer:
        return _BALANCER.validate_json(self._settings.read_bytes())

    def _configuration(self, interface: Interface) -> Path:
        return self.folder.resolve() / f"{interface.name}.cfg"

    def _daemons(self) -> list[Daemon]:
        return [
            Daemon(
                name=f"balancer-{number}",
                folder=self.folder,
                command=self.cloud.inside(
                    self.cloud.namespace(interface.name),
                    "haproxy",
                    "-db",
                    "-f",
                    str(self._configuration(interface)),
                ),
            )
            for number, interface in enumerate(self._balancer().interfaces if self.used else ())
        ]
