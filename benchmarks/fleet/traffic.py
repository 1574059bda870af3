"""PING8's part: injects through the balancer, and repeats what was refused, as PING8 does."""

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import urllib3

from sandbox.journey import CORRELATION, Ping8
from sandbox.run import Sandbox

_PATIENCE = 300.0
_TEXT = "Good morning, this is a line of text.\r\n" * 40


@dataclass
class Traffic:
    """What was sent, by the local part of the recipient, and how it was answered.

    `unsure` were sent again after a connection broke: the first may have been taken as well.
    """

    sandbox: Sandbox
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    case: str = ""
    accepted: dict[str, float] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    asked_to_wait: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _lanes: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._token = str(self.sandbox.outputs["injection_token"])
        addresses = self.sandbox.outputs["injection_addresses"]
        # Asked once: the engine is busy while it replaces a host.
        self._ways = [partial(self.sandbox.ping8_at, address) for address in addresses]

    def start(self, rate: float, lanes: int = 6) -> None:
        """So many messages a second until `stop`, if the answers come in time."""
        for number in range(lanes):
            lane = threading.Thread(target=self._lane, args=(number, rate / lanes), daemon=True)
            lane.start()
            self._lanes.append(lane)

    def stop(self) -> None:
        """Returns when the last one has its answer."""
        self.stopping.set()
        for lane in self._lanes:
            lane.join()

    def _lane(self, number: int, rate: float) -> None:
        clients, count, due = self.clients(number), 0, time.monotonic()
        while not self.stopping.is_set():
            count += 1
            self.send(clients, [f"u{self.run}-{number}-{count}"])
            due = max(due + 1 / rate, time.monotonic() - 1)
            self.stopping.wait(max(0.0, due - time.monotonic()))

    def clients(self, first: int = 0) -> list[Ping8]:
        """One for each address of the balancer; connections are kept."""
        ways = self._ways[first % len(self._ways) :] + self._ways[: first % len(self._ways)]
        return [way() for way in ways]

    def send(
        self,
        clients: list[Ping8],
        names: list[str],
        *,
        domain: str = "accept.example",
        sender: str = "news@news.ping8.test",
    ) -> None:
        """One request for these recipients, until it is accepted."""
        case, end = self.case, time.monotonic() + _PATIENCE
        body = _body(names, domain, sender)
        while time.monotonic() < end:
            try:
                answer = clients[0].ask("POST", "/api/inject/v1", self._token, json=body)
            except urllib3.exceptions.NewConnectionError:
                self._next(clients, case)
                continue
            except urllib3.exceptions.HTTPError:
                self.unsure.update(names)
                self._next(clients, case)
                continue
            if answer.status == 200 and answer.json()["success_count"] == len(names):
                now = time.time()
                self.accepted.update(dict.fromkeys(names, now))
                self.cases.update(dict.fromkeys(names, case))
                return
            wait = answer.headers.get("Retry-After")
            if answer.status != 503 or wait is None:
                self.wrong.append(f"{case}: {answer.status} {answer.data[:100]!r}")
            self.asked_to_wait[case] += 1
            time.sleep(min(float(wait or 1), 10.0))
            clients.append(clients.pop(0))
        self.wrong.append(f"{case}: {names[0]} was never accepted")

    def _next(self, clients: list[Ping8], case: str) -> None:
        self.broken[case] += 1
        clients.append(clients.pop(0))
        time.sleep(1)


def _body(names: list[str], domain: str, sender: str) -> dict[str, Any]:
    fields = {"From": f"News <{sender}>", "Subject": "Fleet", "MIME-Version": "1.0", **CORRELATION}
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return {
        "envelope_sender": f"bounce@{sender.rpartition('@')[2]}",
        "recipients": [{"email": f"{name}@{domain}"} for name in names],
        "content": f"{text}Content-Type: text/plain\r\n\r\n{_TEXT}",
    }
