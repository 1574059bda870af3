"""The outside world: recipients' mail servers and PING8's webhook receiver, and their records."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.authority import Authority
from sandbox.dns import reverse_zones
from sandbox.network import MACHINE, Cloud
from sandbox.process import Daemon
from sandbox.world.recipients import RECIPIENTS, mail_exchanger
from standins.pulumi.hosts import Record, Zone

APP_NAME = "app.ping8.test"
APP_ADDRESS = "198.51.100.80"
WEBHOOK_URL = f"https://{APP_NAME}/api/kumo/events"
OPERATOR_NAME = "operator.sandbox.test"


@dataclass(frozen=True, kw_only=True)
class World:
    """Servers beyond AWS, as one background process; `folder` holds what they saw."""

    folder: Path
    root: Path
    cloud: Cloud
    authority: Authority

    def start(self) -> None:
        """Start it unless it runs; returns once all servers answer."""
        names = (mail_exchanger(name) for name in RECIPIENTS)
        certificate = self.authority.issue("world", *names, APP_NAME, APP_ADDRESS)
        ready = self.folder.resolve() / "ready"
        if not self.running():
            ready.unlink(missing_ok=True)
        command = self.python("sandbox.world", str(certificate.chain), str(certificate.key))
        Daemon(name="world", folder=self.folder, command=command).start(ready.exists)

    def stop(self) -> None:
        """Stop all servers; the records stay."""
        Daemon(name="world", folder=self.folder).stop()

    def running(self) -> bool:
        """Whether the servers run; to look must not make their certificate."""
        return Daemon(name="world", folder=self.folder).pid() is not None

    def messages(self) -> Iterator[dict[str, object]]:
        """What the recipients' servers saw, oldest first; see `recipients.Seen`."""
        return _lines(self.folder / "mail.jsonl")

    def events(self) -> Iterator[dict[str, object]]:
        """What the webhook receiver was sent, oldest first; see `webhook.Call`."""
        return _lines(self.folder / "webhook.jsonl")

    def python(self, module: str, *arguments: str) -> tuple[str, ...]:
        """A command that runs a module of the checkout in this world, told its folder."""
        python = ("env", f"PYTHONPATH={self.root}", sys.executable, "-m", module)
        folder = str(self.folder.resolve())
        return self.cloud.inside(self.cloud.world, *python, folder, *arguments)


def zones() -> list[Zone]:
    """Names of the outside world, forward and reverse."""
    found = [
        Zone(name=APP_NAME, records=(Record(name=APP_NAME, type="A", values=(APP_ADDRESS,)),)),
        Zone(
            name="sandbox.test",
            records=(Record(name=OPERATOR_NAME, type="A", values=(MACHINE,)),),
        ),
    ]
    pointers = {APP_ADDRESS: APP_NAME, MACHINE: OPERATOR_NAME}
    for name, recipient in RECIPIENTS.items():
        exchanger = mail_exchanger(name)
        found.append(
            Zone(
                name=name,
                records=(
                    Record(name=name, type="MX", values=(f"10 {exchanger}.",)),
                    Record(name=name, type="TXT", values=('"v=spf1 mx -all"',)),
                    Record(name=exchanger, type="A", values=(recipient.address,)),
                ),
            )
        )
        pointers[recipient.address] = exchanger
    return [*found, *reverse_zones(pointers)]


def addresses() -> tuple[str, ...]:
    """Addresses of the world's servers, to be given to the cloud."""
    return (APP_ADDRESS, *(each.address for each in RECIPIENTS.values()))


def _lines(path: Path) -> Iterator[dict[str, object]]:
    if path.exists():
        # A line without its end is still being written.
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)
