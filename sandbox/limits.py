"""The server of the shared limits: a real Redis, over TLS, in the VPC, where ElastiCache has it."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from sandbox import dns
from sandbox.authority import Authority
from sandbox.files import fill, replace
from sandbox.network import Cloud
from sandbox.process import Daemon, run
from standins.pulumi.hosts import Limits, Record, Zone

_LIMITS = TypeAdapter(Limits)
_PUBLISHER = "limits"
_ZONE = "amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class LimitsServer:
    """Redis and what it needs; `folder` holds its files."""

    folder: Path
    cloud: Cloud
    authority: Authority
    names: dns.Authority

    def serve(self, limits: Limits) -> None:
        """Start it at its interface and name, with its users."""
        self.cloud.attach(limits.interface)
        certificate = self.authority.issue(_PUBLISHER, limits.name)
        address = Record(name=limits.name, type="A", values=(limits.interface.address,))
        self.names.publish(_PUBLISHER, [Zone(name=_ZONE, records=(address,))])
        replace(
            self._configuration,
            fill(
                "redis.conf.j2",
                limits=limits,
                certificate=certificate,
                folder=self.folder.resolve(),
            ),
        )
        replace(self._settings, _LIMITS.dump_json(limits))
        self.start()

    def start(self) -> None:
        """Start it, if there is one; it has forgotten all limits."""
        if self.used:
            self._daemon().start(self._answers)

    def stop(self) -> None:
        """Stop it; MTA hosts must do without."""
        self._daemon().stop()

    def end(self) -> None:
        """Remove it with its interface and name."""
        if self.used:
            self.stop()
            self.cloud.detach(self._limits().interface.name)
            self.names.publish(_PUBLISHER, [])
            self._settings.unlink()

    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._daemon().pid()

    def running(self) -> bool:
        """Whether it runs."""
        return self.pid() is not None

    @property
    def used(self) -> bool:
        """Whether the stack has one."""
        return self._settings.exists()

    @property
    def _configuration(self) -> Path:
        return self.folder.resolve() / "redis.conf"

    @property
    def _settings(self) -> Path:
        return self.folder / "limits.json"

    def _limits(self) -> Limits:
        return _LIMITS.validate_json(self._settings.read_bytes())

    def _daemon(self) -> Daemon:
        command: tuple[str, ...] = ()
        if self.used:
            namespace = self.cloud.namespace(self._limits().interface.name)
            command = self.cloud.inside(namespace, "redis-server", str(self._configuration))
        return Daemon(name="limits", folder=self.folder, command=command)

    def _answers(self) -> bool:
        """Whether it speaks TLS; it answers nobody without a password."""
        limits = self._limits()
        ask = ("redis-cli", "--tls", "--cacert", str(self.authority.certificate.resolve()))
        where = ("-h", limits.interface.address, "-p", str(limits.port), "ping")
        namespace = self.cloud.namespace(limits.interface.name)
        told = run(self.cloud.inside(namespace, *ask, *where), check=False)
        return "NOAUTH" in told.stdout + told.stderr
