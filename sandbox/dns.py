"""The sandbox's DNS: one authoritative server (nsd) for the root and every zone of its world.

Zones come from several publishers, each of which hands over all of its own at once: what Route 53
holds, reverse zones, and the outside world. As every name below the root is answered here, also
across zones, a host's resolver may simply forward to it.
"""

import contextlib
import fcntl
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from pydantic import TypeAdapter

from sandbox.files import fill, replace
from sandbox.network import Cloud
from sandbox.process import Daemon, run
from standins.pulumi.hosts import Record, Zone

SERVER = "198.51.100.53"
"""Address of the server, in the outside world and for this machine."""

_SERVER_NAME = "ns.sandbox.test"
_TTL = 5
_ZONES = TypeAdapter(list[Zone])


def name_servers(zone: Zone) -> tuple[str, ...]:
    """The name servers of the zone; one without NS records gets the sandbox's server."""
    apex = [r for r in zone.records if r.type == "NS" and _same(r.name, zone.name)]
    return tuple(v.rstrip(".") for r in apex for v in r.values) or (_SERVER_NAME,)


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The server and what it serves; `folder` holds its files."""

    folder: Path
    cloud: Cloud
    address: str = SERVER

    def start(self) -> None:
        """Serve what has been published so far."""
        with self._locked():
            self._write()
        self._daemon().start(lambda: self._control("status", check=False))

    def stop(self) -> None:
        """Stop serving; what was published stays."""
        self._daemon().stop()
        self._socket.unlink(missing_ok=True)

    def running(self) -> bool:
        """Whether the server runs."""
        return self._daemon().pid() is not None

    def publish(self, publisher: str, zones: Iterable[Zone]) -> None:
        """Serve these zones instead of those that the publisher published before."""
        with self._locked():
            replace(self._record(publisher), _ZONES.dump_json(list(zones)))
            if self._write() and self.running():
                self._control("reconfig")
                self._control("reload")

    def zones(self) -> list[Zone]:
        """Every published zone, publishers merged, without the records that complete the tree."""
        merged: dict[str, list[Record]] = {}
        for path in sorted(self.folder.glob("published/*.json")):
            for zone in self.published(path.stem):
                merged.setdefault(zone.name.rstrip(".").lower(), []).extend(zone.records)
        return [Zone(name=name, records=tuple(records)) for name, records in merged.items()]

    def published(self, publisher: str) -> list[Zone]:
        """What one publisher published last."""
        record = self._record(publisher)
        return _ZONES.validate_json(record.read_bytes()) if record.exists() else []

    def _record(self, publisher: str) -> Path:
        return self.folder / "published" / f"{publisher}.json"

    @property
    def _socket(self) -> Path:
        # A socket's path is limited to 107 characters; a checkout's path may be longer.
        digest = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:16]
        return Path("/run") / f"ping8-dns-{digest}.sock"

    @property
    def _configuration(self) -> Path:
        return self.folder.resolve() / "nsd.conf"

    def _daemon(self) -> Daemon:
        command = self.cloud.inside(self.cloud.world, "nsd", "-d", "-c", str(self._configuration))
        return Daemon(name="dns", folder=self.folder, command=command)

    def _control(self, verb: str, *, check: bool = True) -> bool:
        command = ["nsd-control", "-c", str(self._configuration), verb]
        return run(command, check=check).returncode == 0

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self) -> bool:
        """Write what changed; true if anything did."""
        folder = self.folder.resolve()
        zones = complete(self.zones(), self.address)
        files = {folder / "zones" / (zone.name or "root"): zone_text(zone) for zone in zones}
        files[self._configuration] = fill(
            "nsd.conf.j2",
            address=self.address,
            folder=folder,
            socket=self._socket,
            zones=sorted(zone.name for zone in zones),
        )
        changed = {
            path: text
            for path, text in files.items()
            if not path.exists() or path.read_text() != text
        }
        for path, text in changed.items():
            replace(path, text)
        for path in (folder / "zones").iterdir():
            if path not in files:
                path.unlink()
        return bool(changed)


def complete(zones: Iterable[Zone], server: str) -> list[Zone]:
    """The zones, completed to one tree: the root, delegations, and name servers' names.

    A name server that is in no zone gets its own zone, with `server` as its address.
    """
    known = {zone.name: zone for zone in zones}
    known.setdefault("", Zone(name="", records=()))
    for target in sorted({t for zone in known.values() for t in name_servers(zone)}):
        parent = _enclosing(target, known)
        holds = any(_same(r.name, target) for r in known[parent].records)
        if not holds:
            address = Record(name=target, type="A", values=(server,))
            known.setdefault(target, Zone(name=target, records=(address,)))
    return [
        Zone(name=zone.name, records=(*zone.records, *_delegations(zone, known)))
        for zone in known.values()
    ]


def _delegations(zone: Zone, known: Mapping[str, Zone]) -> list[Record]:
    present = {(r.name.rstrip(".").lower(), r.type) for r in zone.records}
    return [
        Record(name=child.name, type="NS", values=tuple(f"{n}." for n in name_servers(child)))
        for child in known.values()
        if child.name
        and _enclosing(_parent(child.name), known) == zone.name
        and (child.name, "NS") not in present
    ]


def reverse_zones(names: Mapping[str, str]) -> list[Zone]:
    """One reverse zone per /24 for addresses with their names."""
    found: dict[str, list[Record]] = {}
    for address, name in names.items():
        pointer = ip_address(address).reverse_pointer
        found.setdefault(_parent(pointer), []).append(
            Record(name=pointer, type="PTR", values=(f"{name.rstrip('.')}.",))
        )
    return [Zone(name=zone, records=tuple(records)) for zone, records in found.items()]


def zone_text(zone: Zone) -> str:
    """A zone file with absolute names; its serial changes with its records."""
    servers, apex = name_servers(zone), f"{_absolute(zone.name)} {_TTL}"
    lines = [f"{apex} NS {server}." for server in servers]
    lines += [
        f"{_absolute(record.name)} {record.ttl} {record.type} {_target(record.type, value)}"
        for record in zone.records
        if not (record.type in ("SOA", "NS") and _same(record.name, zone.name))
        for value in record.values
    ]
    serial = zlib.crc32("\n".join(lines).encode())
    soa = f"{servers[0]}. hostmaster.sandbox.test. {serial} 3600 600 86400 {_TTL}"
    return "\n".join([f"{apex} SOA {soa}", *lines, ""])


def _enclosing(name: str, known: Mapping[str, Zone]) -> str:
    while name and name not in known:
        name = _parent(name)
    return name


def _parent(name: str) -> str:
    return name.partition(".")[2]


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()


def _target(kind: str, value: str) -> str:
    """Route 53 treats every name as absolute, even without a final dot."""
    return f"{value.rstrip('.')}." if kind in ("CNAME", "MX", "NS", "PTR", "SRV") else value


def _absolute(name: str) -> str:
    # Route 53 escapes a wildcard's asterisk; other servers read that as a literal asterisk.
    return re.sub(r"^\\052", "*", name.rstrip(".")) + "."
