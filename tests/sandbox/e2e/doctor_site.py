"""The running sandbox as an operator's doctor meets it, and the levers that break it."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ops import ssh
from ops.doctor import command
from ops.doctor.case import Options
from ops.doctor.finding import Finding, Status
from ops.stack import Deployment
from policy.settings import Settings
from sandbox import dns
from sandbox.machine import REVERSE, ROUTE_53
from sandbox.network import Cloud
from sandbox.run import Sandbox
from standins.pulumi.hosts import Record, Zone

BLOCK_LIST = "blocked.example"
_KEYS = "/home/ping8/.ssh/authorized_keys"
_LEVERS = "doctor"
Records = Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Site:
    """The sandbox, an operator's key and trusted authorities in `folder`, and the deployment."""

    sandbox: Sandbox
    folder: Path
    deployment: Deployment
    options: Options

    # The doctor ---------------------------------------------------------------

    def look(self, *only: str) -> list[Finding]:
        """One examination, as the command makes it."""
        options = replace(self.options, only=only)
        return command.look(self.deployment, options, (dns.SERVER,), seconds=90)

    def with_settings(self, **changes: Any) -> "Site":
        """With other values in sections of the settings that the stack outputs tell, or lists."""
        settings = self.deployment.settings.model_dump(by_alias=True, exclude_none=True)
        for section, values in changes.items():
            tables = isinstance(values, Mapping)
            settings[section] = settings[section] | values if tables else values
        return self.with_deployment(settings=Settings.model_validate(settings))

    def with_deployment(self, **changes: Any) -> "Site":
        """With other outputs."""
        return replace(self, deployment=replace(self.deployment, **changes))

    # Hosts --------------------------------------------------------------------

    def on(self, host: str, *command_line: str, stdin: str | None = None) -> str:
        """A command on a host, beside its own ways in."""
        instance = self.deployment.hosts[host].instance_id
        machine = self.sandbox.hosts
        return machine.execute(instance, *command_line, stdin=stdin).stdout

    def shell(self, host: str, script: str) -> str:
        """A script on a host."""
        return self.on(host, "sh", "-ec", script)

    @contextlib.contextmanager
    def changed(self, host: str, path: str, text: str, *, after: str = "true") -> Iterator[None]:
        """A file with another content in place, its mode and owner kept; `after` runs each time."""
        before = self.shell(host, f"cat {path}")
        self.on(host, "sh", "-ec", f"cat > {path}; {after}", stdin=text)
        try:
            yield
        finally:
            self.on(host, "sh", "-ec", f"cat > {path}; {after}", stdin=before)

    @contextlib.contextmanager
    def done(self, host: str, script: str, undo: str) -> Iterator[None]:
        """A script on a host, and one that undoes it."""
        self.shell(host, script)
        try:
            yield
        finally:
            self.shell(host, undo)

    # DNS and network ----------------------------------------------------------

    @contextlib.contextmanager
    def records(self, changes: Records, *, publisher: str = ROUTE_53) -> Iterator[None]:
        """Other record sets in what Route 53 (or EC2, for PTR) publishes; none removes one."""
        authority = self.sandbox.parts.names
        before = authority.published(publisher)
        authority.publish(publisher, [_changed(zone, changes) for zone in before])
        try:
            yield
        finally:
            authority.publish(publisher, before)

    def pointers(self, changes: Records) -> contextlib.AbstractContextManager[None]:
        """Other PTR records of Elastic IPs."""
        return self.records(changes, publisher=REVERSE)

    @contextlib.contextmanager
    def zones(self, *zones: Zone) -> Iterator[None]:
        """Zones, or records in zones of others, beside all that is published."""
        authority = self.sandbox.parts.names
        authority.publish(_LEVERS, zones)
        try:
            yield
        finally:
            authority.publish(_LEVERS, [])

    def fence(self, host: str, rule: str) -> contextlib.AbstractContextManager[None]:
        """A rule at the top of a host's security group, for who asks its private address."""
        return self._rule(f"if_{self._interface(host)}_ingress", rule)

    def public_fence(self, host: str, rule: str) -> contextlib.AbstractContextManager[None]:
        """The same, for hosts of the cloud that ask its public address."""
        return self._rule(f"if_{self._interface(host)}_ingress_public", rule)

    def _interface(self, host: str) -> str:
        return self.deployment.hosts[host].private_address.replace(".", "_")

    @contextlib.contextmanager
    def _rule(self, chain: str, rule: str) -> Iterator[None]:
        place = ("inet", "ping8", chain)
        self._nft("insert", "rule", *place, *rule.split(), "comment", '"doctor"')
        try:
            yield
        finally:
            listed = self._nft("-a", "list", "chain", *place)
            line = next(line for line in listed.splitlines() if '"doctor"' in line)
            self._nft("delete", "rule", *place, "handle", line.rsplit("handle ", 1)[1])

    def _nft(self, *arguments: str) -> str:
        cloud = Cloud()
        line = cloud.inside(cloud.router, "nft", *arguments)
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout


def _changed(zone: Zone, changes: Records) -> Zone:
    """The zone with the changes to names that lie in it and in no zone below."""
    own = {key: values for key, values in changes.items() if _holds(zone, key[0])}
    kept = [r for r in zone.records if (r.name.rstrip("."), r.type) not in own]
    fresh = [
        Record(name=name, type=kind, values=tuple(values))
        for (name, kind), values in own.items()
        if values
    ]
    return replace(zone, records=(*kept, *fresh))


def _holds(zone: Zone, name: str) -> bool:
    apex = zone.name.rstrip(".")
    # mail.ping8.test is a zone of its own below ping8.test.
    below = name == apex or name.endswith(f".{apex}")
    return below and not (apex == "ping8.test" and f".{name}".endswith(".mail.ping8.test"))


@contextlib.contextmanager
def operator(sandbox: Sandbox, folder: Path) -> Iterator[Site]:
    """An operator with a key of their own, as `operators.sshKeys` would give it to the hosts."""
    key = folder / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "doctor-e2e", "-f", str(key)]
    subprocess.run(make, check=True)
    config = folder / "config"
    config.write_text(f"Host *\n  IdentityFile {key}\n  IdentitiesOnly yes\n")
    trusted = folder / "ca.pem"
    trusted.write_text(sandbox.parts.trusted)
    site = Site(
        sandbox=sandbox,
        folder=folder,
        deployment=sandbox.deployment,
        options=Options(
            folder=sandbox.layout.root,
            exchanger="accept.example",
            block_lists=(BLOCK_LIST,),
            ca_file=str(trusted),
            test_event=True,
            authoritative=True,
        ),
    )
    before = os.environ.get(ssh.CONFIG)
    os.environ[ssh.CONFIG] = str(config)
    for host in site.deployment.hosts:
        allow(site, host)
    try:
        yield site
    finally:
        for host in site.deployment.hosts:
            forbid(site, host)
        if before is None:
            del os.environ[ssh.CONFIG]
        else:
            os.environ[ssh.CONFIG] = before


def allow(site: Site, host: str) -> None:
    """Lets the operator log in."""
    public = (site.folder / "key.pub").read_text()
    site.on(host, "sh", "-ec", f"cat >> {_KEYS}", stdin=public)


def forbid(site: Site, host: str) -> None:
    """Takes the operator's key away."""
    site.shell(host, f"sed -i /doctor-e2e/d {_KEYS}")


def troubles(findings: Sequence[Finding]) -> list[Finding]:
    """What is not well."""
    return [f for f in findings if f.status is not Status.PASS]


def of_the_machine(site: Site) -> frozenset[tuple[str, str]]:
    """What may be red because of this machine: no fault of the product, and none that is planted.

    The root of a host is the machine's own disk, however full it is, and KUMOMTA_ROOT may name
    another KumoMTA than the pinned one.
    """
    found = {("host.disk", f"{host} root") for host in site.deployment.hosts}
    installed = site.shell("mta-1", "/opt/kumomta/sbin/kumod --version")
    if site.sandbox.tree.real and site.deployment.settings.kumomta.version not in installed:
        found.add(("host.version", "mta-1"))
    return frozenset(found)
