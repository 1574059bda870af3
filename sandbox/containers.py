"""Hosts: podman containers that boot real systemd, with real cloud-init running the very user data.

A host's network exists before it boots, in a namespace that outlives its restarts. Volumes can be
attached and detached while it runs, as on EC2.
"""

import contextlib
import json
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.files import fill, replace
from sandbox.network import Cloud
from sandbox.process import SandboxError, run, wait_until
from sandbox.volumes import Volumes, link_name
from standins.pulumi.hosts import Interface

RESOLVER = "169.254.169.253"
"""Where every VPC answers DNS queries."""

_PLENTY = 10_000
_RUNNING = ("running", "stopping")
_SEED = "var/lib/cloud/seed/nocloud"


@dataclass(frozen=True, kw_only=True)
class Host:
    """What an instance is made from.

    `trees` are folders copied to a path of the host and `files` are small files (mode 0644), both
    before its first boot; `prepare` are commands run in its file system then. `trusted` are
    certificate authorities in PEM that its system trusts in addition to the usual ones.
    """

    name: str
    hostname: str
    image: str
    interface: Interface
    user_data: str
    trees: Mapping[str, Path] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    prepare: tuple[tuple[str, ...], ...] = ()
    trusted: str = ""


@dataclass(frozen=True, kw_only=True)
class Containers:
    """The hosts of one cloud; `state` holds what a host has outside its container."""

    cloud: Cloud
    state: Path
    volumes: Volumes

    def create(self, host: Host) -> None:
        """Make a host and boot it; returns once its system starts (see `wait_booted`)."""
        namespace = self.cloud.attach(host.interface)
        self._disks(host.name).mkdir(parents=True, exist_ok=True)
        self._write_disks(host.name, self.attached(host.name))
        (self._own(host.name) / "journal").mkdir(exist_ok=True)
        (self._own(host.name) / "interface").write_text(host.interface.name)
        limits = (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
        arguments = fill(
            "podman-create.j2",
            name=self._container(host.name),
            label=self._label,
            hostname=host.hostname,
            limits=[(limit, _limit(which)) for limit, which in limits],
            namespace=namespace,
            own=self._own(host.name),
            image=host.image,
        )
        run(["podman", *arguments.splitlines()])
        with self._file_system(host.name) as root:
            _furnish(root, host)
        self.start(host.name)

    def start(self, name: str) -> None:
        """Boot a host that is stopped."""
        self._write_disks(name, self.attached(name))
        run(["podman", "start", self._container(name)])

    def stop(self, name: str) -> None:
        """Shut a host down in order."""
        run(["podman", "stop", "--time", "60", self._container(name)])

    def reboot(self, name: str) -> None:
        """Shut down and boot; file system, journal, network and volumes stay."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str) -> None:
        """Cut the power."""
        run(["podman", "kill", self._container(name)], check=False)
        run(["podman", "stop", "--time", "0", self._container(name)], check=False)

    def remove(self, name: str) -> None:
        """Terminate a host; its volumes are kept and free for another host."""
        attached = self.attached(name)
        run(["podman", "rm", "--force", "--time", "10", "--ignore", self._container(name)])
        for volume in attached:
            self.volumes.close(volume)
        interface = self._own(name) / "interface"
        if interface.exists():
            self.cloud.detach(interface.read_text())
        shutil.rmtree(self._own(name), ignore_errors=True)

    def states(self) -> dict[str, bool]:
        """All hosts, and whether their systems run."""
        # The filter leaves out containers that are not ours.
        mine = f"--filter=label={self._label}"
        shown = json.loads(run(["podman", "ps", "--all", mine, "--format=json"]).stdout)
        start = len(self._container(""))
        # A host that is shutting down still writes to its volumes.
        return {each["Names"][0][start:]: each["State"] in _RUNNING for each in shown}

    def names(self) -> list[str]:
        """All hosts, running or not."""
        return list(self.states())

    def running(self, name: str) -> bool:
        """Whether its system runs."""
        return self.states().get(name, False)

    def execute(
        self,
        name: str,
        *command: str,
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host as root, without SSH."""
        interactive = ["--interactive"] if stdin is not None else []
        inside = ["podman", "exec", *interactive, self._container(name), *command]
        return run(inside, stdin=stdin, check=check, timeout=timeout)

    def journal(self, name: str, *, unit: str | None = None, lines: int = 100) -> str:
        """The last lines of a host's journal."""
        chosen = ["--unit", unit] if unit else []
        return self.execute(name, "journalctl", "--no-pager", "--lines", str(lines), *chosen).stdout

    def shell(self, name: str) -> int:
        """A shell on a host, at this terminal; its exit status."""
        return subprocess.call(["podman", "exec", "-it", self._container(name), "bash"])

    def wait_booted(self, name: str, *, seconds: float = 120) -> None:
        """Wait until cloud-init has run the user data; raises if it failed."""

        def answers() -> bool:
            return self.execute(name, "systemctl", "--version", check=False).returncode == 0

        wait_until(answers, f"host {name} to start", seconds=seconds)
        done = self.execute(
            name, "cloud-init", "status", "--wait", "--long", check=False, timeout=seconds
        )
        if done.returncode != 0:
            log = self.execute(name, "tail", "-20", "/var/log/cloud-init-output.log", check=False)
            raise SandboxError(
                f"cloud-init failed on {name}: {done.stdout.strip()}\n{log.stdout.strip()}"
            )

    def attach(self, name: str, volume: str) -> None:
        """Attach a volume to a running or stopped host."""
        for other in self.names():
            if other != name and volume in self.attached(other):
                raise SandboxError(f"volume {volume} is attached to {other}")
        self._write_disks(name, sorted({*self.attached(name), volume}))
        if self.running(name):
            device = self.volumes.open(volume)
            node = f"/dev/{device.path.name}"
            make = f"[ -e {node} ] || mknod -m 0660 {node} b {device.major} {device.minor}"
            self.execute(name, "sh", "-c", make)

    def detach(self, name: str, volume: str) -> None:
        """Detach a volume from a host; a mounted one is unmounted first, if possible."""
        device = self.volumes.device(volume)
        if device is not None and self.running(name):
            node = f"/dev/{device.path.name}"
            self.execute(name, "umount", "--all-targets", node, check=False)
            if node in self.execute(name, "cat", "/proc/mounts").stdout.split():
                raise SandboxError(f"volume {volume} is in use on {name}: stop the host first")
            self.execute(name, "rm", "-f", node)
        self._write_disks(name, [each for each in self.attached(name) if each != volume])
        self.volumes.close(volume)

    def attached(self, name: str) -> list[str]:
        """Volumes of a host."""
        try:
            return list(json.loads((self._own(name) / "volumes.json").read_text()))
        except FileNotFoundError:
            return []

    def remove_all(self) -> None:
        """Terminate every host of this cloud, even one whose record is lost."""
        for name in {*self.names(), *(path.name for path in self.state.glob("*"))}:
            self.remove(name)

    @property
    def _label(self) -> str:
        return f"ping8.sandbox={self.cloud.prefix}"

    def _container(self, name: str) -> str:
        return f"{self.cloud.prefix}-{name}"

    def _own(self, name: str) -> Path:
        return self.state / name

    def _disks(self, name: str) -> Path:
        return self._own(name) / "disk"

    def _write_disks(self, name: str, volumes: Sequence[str]) -> None:
        """Links by id, and the list from which the host makes its nodes when it boots."""
        devices = {volume: self.volumes.open(volume) for volume in volumes}
        by_id = self._disks(name) / "by-id"
        by_id.mkdir(parents=True, exist_ok=True)
        # Other threads read it, to see whether a volume is free.
        replace(self._own(name) / "volumes.json", json.dumps(list(devices)))
        (self._disks(name) / ".volumes").write_text(
            "".join(f"{d.path.name} {d.major} {d.minor}\n" for d in devices.values())
        )
        wanted = {link_name(v): f"../../{d.path.name}" for v, d in devices.items()}
        for link in by_id.iterdir():
            if wanted.get(link.name) != str(link.readlink()):
                link.unlink()
        for link_path, target in wanted.items():
            if not (by_id / link_path).is_symlink():
                (by_id / link_path).symlink_to(target)

    @contextlib.contextmanager
    def _file_system(self, name: str) -> Iterator[Path]:
        root = run(["podman", "mount", self._container(name)]).stdout.strip()
        try:
            yield Path(root)
        finally:
            run(["podman", "umount", self._container(name)])


def _limit(which: int) -> int:
    hard = resource.getrlimit(which)[1]
    return _PLENTY if hard == resource.RLIM_INFINITY else min(hard, _PLENTY)


def _furnish(root: Path, host: Host) -> None:
    """Everything in a host's file system before its first boot."""
    for target, source in host.trees.items():
        shutil.copytree(source, root / target.lstrip("/"), symlinks=True, dirs_exist_ok=True)
    for target, content in host.files.items():
        path = root / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1\tlocalhost\n127.0.1.1\t{host.hostname}\n")
    (root / "usr/local/share/ca-certificates/sandbox.crt").write_text(host.trusted)
    with (root / "etc/ssl/certs/ca-certificates.crt").open("a") as bundle:
        bundle.write(host.trusted)
    for command in host.prepare:
        run(["chroot", str(root), *command])
    seed = root / _SEED
    seed.mkdir(parents=True, exist_ok=True)
    user_data = seed / "user-data"
    user_data.touch(mode=0o600)
    user_data.write_text(host.user_data)
    (seed / "meta-data").write_text(f"instance-id: {host.name}\nlocal-hostname: {host.hostname}\n")
