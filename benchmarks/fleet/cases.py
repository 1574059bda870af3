"""What happens to the nodes while mail flows; each case ends with everything as it was."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.fleet.account import Ledger
from benchmarks.fleet.traffic import Traffic
from ops.ssh import ssh_json
from ops.stack import read_deployment
from policy.errors import UserError
from sandbox.parts import STACK
from sandbox.process import SandboxError, run, wait_until
from sandbox.program import PROJECT
from sandbox.run import Sandbox

_PING8 = Path(sys.executable).with_name("ping8")
_SILENCE = """table inet gate {
    chain forward {
        type filter hook forward priority -10;
        ip saddr { %s } drop
        ip daddr { %s } drop
    }
}
"""
_LOST_SECONDS = 30
_HEALTHY_SECONDS = 300


@dataclass
class Gate:
    """One run; `notes` are figures by name."""

    sandbox: Sandbox
    traffic: Traffic
    ledger: Ledger
    notes: dict[str, str]

    def cases(self) -> dict[str, Callable[[], None]]:
        """By what they do."""
        return {
            "nothing happens": lambda: time.sleep(20),
            "mta-1 drains and returns": self.drain_and_return,
            "kumod on mta-1 is killed": self.kill_kumod,
            "mta-1 loses its power": self.kill_host,
            "mta-1 is replaced": self.replace,
            "Redis is away for 30 s": self.lose_limits,
            "Redis hangs for 30 s": self.hang_limits,
            "proxy-1 loses its power": self.lose_proxy,
            "both nodes are upgraded": self.upgrade,
        }

    def drain_and_return(self) -> None:
        began = time.monotonic()
        self.ping8("drain", "mta-1", "--yes", "--reason", "gate")
        self.notes["seconds of a drain under load"] = f"{time.monotonic() - began:.0f}"
        self.ping8("drain", "mta-1", "--back", "--yes")
        self.healthy("mta-1")

    def kill_kumod(self) -> None:
        kill = ("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "kumomta")
        self.on("mta-1", *kill)
        time.sleep(5)
        self.healthy("mta-1")

    def kill_host(self) -> None:
        with self.without_power("mta-1"):
            time.sleep(_LOST_SECONDS)
        self.healthy("mta-1")

    def replace(self) -> None:
        """Its volumes move to a new instance."""
        before = self.instance("mta-1")
        exported: Any = self.sandbox.stack.export_stack().deployment
        (urn,) = (
            each["urn"]
            for each in exported["resources"]
            if each["urn"].endswith("::mail-mta-1-instance")
        )
        self.up(replace=[urn])
        if self.instance("mta-1") == before:
            raise SandboxError("mta-1 was not replaced")
        self.healthy("mta-1")

    def lose_limits(self) -> None:
        self.sandbox.parts.limits.stop()
        time.sleep(_LOST_SECONDS)
        self.sandbox.parts.limits.start()

    def hang_limits(self) -> None:
        pid = self.sandbox.parts.limits.pid()
        if pid is None:
            raise SandboxError("the server of the shared limits does not run")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(_LOST_SECONDS)
        os.kill(pid, signal.SIGCONT)

    def lose_proxy(self) -> None:
        with self.without_power("proxy-1"):
            died = time.time()
            time.sleep(2 * _LOST_SECONDS)
            self.ledger.read()
        times = (moment for times in self.ledger.delivered.values() for moment in times)
        after = sorted(moment for moment in times if moment > died)
        if not after:
            raise SandboxError("no mail was delivered without proxy-1")
        self.notes["seconds from a proxy's death to the next delivery"] = f"{after[0] - died:.1f}"
        gaps = [later - sooner for sooner, later in zip([died, *after], after, strict=False)]
        self.notes["longest time without a delivery in the minute after"] = f"{max(gaps):.1f}"
        waits = (
            times[0] - self.traffic.accepted[name]
            for name, times in self.ledger.delivered.items()
            if self.traffic.accepted.get(name, 0.0) > died
        )
        self.notes["longest time from acceptance to delivery then"] = f"{max(waits):.1f}"

    def upgrade(self) -> None:
        """The change restarts kumod."""
        path = self.sandbox.layout.project / "stacks" / f"Pulumi.{STACK}.yaml"
        before = path.read_text()
        stack = yaml.safe_load(before)
        stack["config"][f"{PROJECT}:reception"] = {"maxMessageMib": 24}
        path.write_text(yaml.safe_dump(stack))
        try:
            pids = self.kumods()
            self.ping8("upgrade", "--yes")
            if set(pids) & set(self.kumods()):
                raise SandboxError("a new release did not restart kumod")
        finally:
            path.write_text(before)

    def drain_many(self, count: int) -> None:
        """Mail that waits for minutes: its first attempt found no proxy."""
        for name in ("proxy-1", "proxy-2"):
            self.on(name, "systemctl", "stop", "kumoproxy")
        client = [self.sandbox.ping8_at(self.sandbox.deployment.host("mta-1").address)]
        names = [self.many(number) for number in range(count)]
        for start in range(0, count, 100):
            part = names[start : start + 100]
            self.traffic.send(client, part, sender="news@shop.ping8.test")
        wait_until(lambda: self.held("mta-1")["mail"] >= count, "the queue", seconds=300, every=1.0)
        began = time.monotonic()
        self.ping8("drain", "mta-1", "--yes", "--reason", "many")
        self.notes[f"seconds of a drain of {count:,}"] = f"{time.monotonic() - began:.0f}"
        self.notes["of these on mta-2 afterwards"] = f"{self.held('mta-2')['mail']:,}"
        for name in ("proxy-1", "proxy-2"):
            self.on(name, "systemctl", "start", "kumoproxy")
        self.ping8("drain", "mta-1", "--back", "--yes")
        self.healthy("mta-1")

    def follow(self) -> None:
        """`ping8 find` shows on both nodes, by its first id, a message that `drain_many` sent."""
        found = json.loads(self.ping8("find", self.ledger.first_ids[self.many(0)], "--json"))
        steps = [
            (step["host"], step["type"]) for each in found["messages"] for step in each["steps"]
        ]
        wanted = [("mta-1", "Reception"), ("mta-1", "XferOut"), ("mta-2", "XferIn")]
        if not {*wanted, ("mta-2", "Delivery")} <= {*steps}:
            raise SandboxError(f"a transferred message: `ping8 find` shows only {steps}")

    def many(self, number: int) -> str:
        """The name of a message of `drain_many`."""
        return f"d{self.traffic.run}-{number}"

    def limit(self, each: int) -> None:
        """Both nodes have a backlog; each source may send 60 at once and then one a second."""
        names = [f"l{self.traffic.run}-{number}" for number in range(2 * each)]
        for host, part in (("mta-1", names[:each]), ("mta-2", names[each:])):
            client = [self.sandbox.ping8_at(self.sandbox.deployment.host(host).address)]
            for start in range(0, each, 20):
                self.traffic.send(client, part[start : start + 20], domain="limited.example")
        time.sleep(75)
        self.ledger.read()
        for source in self.sandbox.deployment.egress.values():
            times = sorted(
                self.ledger.delivered[name][0]
                for name in names
                if self.ledger.peers.get(name) == source.public
            )
            if times:
                count = sum(moment <= times[0] + 60 for moment in times)
                self.notes[f"sent in 60 s by {source.name}, limited to 60/min"] = str(count)

    def throughput(self, count: int, lanes: int = 6) -> float:
        """Messages a second until nine of ten are delivered; the last ones are not timed."""
        label = uuid.uuid4().hex[:6]
        names = [f"t{label}-{number}" for number in range(count)]

        def lane(number: int) -> None:
            clients = self.traffic.clients(number)
            for name in names[number::lanes]:
                self.traffic.send(clients, [name])

        began = time.time()
        threads = [threading.Thread(target=lane, args=(number,)) for number in range(lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        def delivered() -> bool:
            self.ledger.read()
            return all(name in self.ledger.delivered for name in names)

        wait_until(delivered, "all deliveries", seconds=300, every=0.5)
        times = sorted(self.ledger.delivered[name][0] for name in names)
        most = count * 9 // 10
        return most / (times[most - 1] - began)

    def held(self, host: str) -> Any:
        """What a node holds, by its agent."""
        return ssh_json(read_deployment(STACK).host(host), ["drain", "show"])["counts"]

    def ping8(self, *words: str) -> str:
        """What a command prints that an operator gives."""
        done = subprocess.run(
            [_PING8, *words, "--stack", STACK], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SandboxError(f"ping8 {' '.join(words)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def up(self, **options: Any) -> None:
        """One `pulumi up`."""
        self.sandbox.stack.up(on_output=lambda _line: None, suppress_progress=True, **options)

    def kumods(self) -> list[str]:
        """The process of kumod on each node."""
        show = ("systemctl", "show", "-P", "MainPID", "kumomta")
        return [self.on(node.name, *show) for node in self.sandbox.deployment.mta_hosts]

    def instance(self, host: str) -> str:
        return self.sandbox.deployment.host(host).instance_id

    def on(self, host: str, *command: str) -> str:
        return self.sandbox.hosts.execute(self.instance(host), *command).stdout.strip()

    @contextlib.contextmanager
    def without_power(self, host: str) -> Iterator[None]:
        """Its programs end, and nothing answers at its addresses."""
        cloud, instance = self.sandbox.parts.net, self.instance(host)
        deployment = self.sandbox.deployment
        addresses = {deployment.host(host).private_address} | {
            source.private for source in deployment.egress.values() if source.proxy == host
        }
        silence = _SILENCE % ((", ".join(sorted(addresses)),) * 2)
        run(cloud.inside(cloud.router, "nft", "-f", "-"), stdin=silence)
        self.sandbox.hosts.kill(instance)
        yield
        run(cloud.inside(cloud.router, "nft", "delete", "table", "inet", "gate"))
        self.sandbox.hosts.start(instance)
        self.sandbox.hosts.wait_booted(instance)

    def healthy(self, host: str) -> None:
        """Until a balancer would choose it."""

        def well() -> bool:
            try:
                access = read_deployment(STACK).host(host)
                return bool(ssh_json(access, ["drain", "show"])["healthy"])
            except UserError:
                return False

        wait_until(well, f"{host} to take injections", seconds=_HEALTHY_SECONDS, every=1.0)
