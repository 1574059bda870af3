"""The outside world: recipients' mail servers and PING8's webhook receiver, and their records."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.authority import Authority
from sandbox.dns import reverse_zones
from sandbox.network import MACHINE, Cloud
from sandbox.process import Daemon, run, wait_until
from sandbox.world.recipients import RECIPIENTS, mail_exchanger
from standins.pulumi.hosts import Record, Zone

APP_NAME = "app.ping8.test"
APP_ADDRESS = "198.51.100.80"
WEBHOOK_URL = f"https://{APP_NAME}/api/kumo/events"
OPERATOR_NAME = "operator.sandbox.test"


@dataclass(frozen=True, kw_only=True)
class World:
    """Servers beyond AWS, as background processes; `folder` holds what they saw."""

    folder: Path
    root: Path
    cloud: Cloud
    authority: Authority

    def start(self) -> None:
        """Start what does not run; returns once all answer."""
        for daemon in self._daemons():
            if daemon.pid() is None:
                self._ready(daemon).unlink(missing_ok=True)
                daemon.start()
        for daemon in self._daemons():
            self._await(daemon)

    def stop(self) -> None:
        """Stop all; the records stay."""
        for daemon in self._known():
            daemon.stop()

    def status(self) -> dict[str, bool]:
        """Which of them run."""
        return {daemon.name: daemon.pid() is not None for daemon in self._known()}

    def messages(self) -> Iterator[dict[str, object]]:
        """What the recipients' servers saw, oldest first; see `recipients.Seen`."""
        return _lines(self.folder / "mail.jsonl")

    def events(self) -> Iterator[dict[str, object]]:
        """What the webhook receiver was sent, oldest first; see `webhook.Call`."""
        return _lines(self.folder / "webhook.jsonl")

    def report(self, kind: str, seen_id: str, *, to: str | None = None) -> str:
        """Have the recipient's server send a `bounce` or `complaint` about a message it saw.

        It goes to the envelope sender's exchanger, or to that of another address.
        """
        command = self._python("reports", kind, seen_id, *([to] if to else []))
        return run(command, timeout=60).stdout.strip()

    def _known(self) -> tuple[Daemon, ...]:
        """The servers by name alone: to look at them must not make their certificates."""
        names = ("mail", "webhook")
        return tuple(Daemon(name=name, folder=self.folder, command=()) for name in names)

    def _daemons(self) -> tuple[Daemon, ...]:
        mail = self.authority.issue("mail", *(mail_exchanger(name) for name in RECIPIENTS))
        app = self.authority.issue("app", APP_NAME, APP_ADDRESS)
        return (
            self._daemon("mail", str(mail.chain.resolve()), str(mail.key.resolve())),
            self._daemon("webhook", APP_ADDRESS, str(app.chain.resolve()), str(app.key.resolve())),
        )

    def _daemon(self, name: str, *arguments: str) -> Daemon:
        return Daemon(name=name, folder=self.folder, command=self._python(name, *arguments))

    def _python(self, module: str, *arguments: str) -> tuple[str, ...]:
        python = ("env", f"PYTHONPATH={self.root}", sys.executable, "-m", f"sandbox.world.{module}")
        folder = str(self.folder.resolve())
        return self.cloud.inside(self.cloud.world, *python, folder, *arguments)

    def _ready(self, daemon: Daemon) -> Path:
        return self.folder / f"{daemon.name}.ready"

    def _await(self, daemon: Daemon) -> None:
        def ready() -> bool:
            daemon.require_alive()
            return self._ready(daemon).exists()

        wait_until(ready, f"the outside world's {daemon.name} server", seconds=20)


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
