"""The programs of the platform, and mail that is sent to them."""

import http.client
import json
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks import real_kumod
from benchmarks.soak.moods import Endpoint, Recipients
from hostagent.metrics.kumod import by_label, total
from hostagent.web import Deadline, WebError, get_json
from policy.settings import Settings


class Site(real_kumod.World):
    """Its programs can be ended and started by their names."""

    def __init__(self, chosen: Settings) -> None:
        self.commands: dict[str, list[str]] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__(chosen)

    def servers(self) -> tuple[Any, Any]:
        return (
            Recipients(("0.0.0.0", real_kumod.SINK_PORT)),
            Endpoint(("127.0.0.1", real_kumod.RECEIVER)),
        )

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        name = next(
            name
            for name in ("kumod", "proxy-server", "outbox")
            if name in command[-1] or name in command[0]
        )
        self.commands[name] = command
        program = super()._start(command)
        self.running[name] = program
        return program

    def start(self, name: str) -> None:
        """Again, as systemd would."""
        self._start(self.commands[name])

    def end(self, name: str, *, kill: bool, within: float = 20) -> bool:
        """Whether it ended by itself within that time."""
        program = self.running[name]
        program.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            program.wait(within)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            return False
        return True


@dataclass
class Traffic:
    """What PING8 sends, and what became of it."""

    accepted: dict[str, float] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    refused: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def send(self, lane: int, rate: float) -> None:
        """One message after the other; every twentieth to a recipient that is not there."""
        number = 0
        while not self.stopping.wait(1 / rate):
            number += 1
            self._one(f"{lane}-{number}", "nobody" if number % 20 == 0 else "u")

    def _one(self, name: str, user: str) -> None:
        recipient = f"{user}{name}@[{real_kumod.SINK}]"
        request = real_kumod.injection(recipient, **{"X-PING8-Message-Id": name})
        connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60)
        try:
            connection.connect()
        except OSError:
            self.refused += 1
            return
        try:
            connection.request(
                "POST", "/api/inject/v1", request, {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            # kumod may have taken it.
            self.unknown.add(name)
            return
        finally:
            connection.close()
        if answer.status == 200 and json.loads(text)["success_count"] == 1:
            self.accepted[name] = time.time()
        else:
            self.refused += 1


def queued() -> int:
    """Messages and events that kumod holds."""
    try:
        metrics = get_json("http://127.0.0.1:8000/metrics.json", Deadline(5))
    except WebError:
        return 1
    held = total(metrics, "scheduled_count_total") + sum(
        by_label(metrics, "ready_count", "service").values()
    )
    return int(held)
