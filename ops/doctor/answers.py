"""What hosts' agents answer, each question asked once and a few at a time."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from ops.stack import HostAccess

_AT_ONCE = 4
"""Log-ins to one host at a time: sshd turns some away when ten are under way (MaxStartups)."""


class Agent(Protocol):
    """Asks a host's agent over SSH; raises an exception whose text an operator can read."""

    def __call__(self, host: HostAccess, verb: Sequence[str], /) -> Any:
        """The JSON that the verb printed."""


class Answers:
    """Shares answers, and failures, among the checks that ask the same."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._lock = threading.Lock()
        self._futures: dict[tuple[str, ...], Future[Any]] = {}
        self._turns: dict[str, threading.Semaphore] = {}

    def __call__(self, access: HostAccess, *verb: str) -> Any:
        """The JSON that the verb printed."""
        key = (access.name, *verb)
        with self._lock:
            known = self._futures.get(key)
            if known is None:
                future = self._futures[key] = Future()
            turn = self._turns.setdefault(access.name, threading.Semaphore(_AT_ONCE))
        if known is not None:
            return known.result()
        with turn:
            try:
                future.set_result(self._agent(access, verb))
            except BaseException as error:
                future.set_exception(error)
        return future.result()
