"""What hosts' agents answer, each question asked once and a few at a time."""

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from ops.stack import HostAccess

_AT_ONCE = 4
"""Log-ins to one host at a time: sshd turns some away when ten are under way (MaxStartups)."""

T = TypeVar("T")


class Once:
    """Values that several threads need, each made by the first; a failure is shared, too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._futures: dict[Hashable, Future[Any]] = {}

    def __call__(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key."""
        with self._lock:
            known = self._futures.get(key)
            if known is None:
                future: Future[T] = Future()
                self._futures[key] = future
        if known is not None:
            shared: T = known.result()
            return shared
        try:
            future.set_result(make())
        except BaseException as error:
            future.set_exception(error)
        return future.result()


class Agent(Protocol):
    """Asks a host's agent over SSH; raises an exception whose text an operator can read."""

    def __call__(self, host: HostAccess, verb: Sequence[str], /) -> Any:
        """The JSON that the verb printed."""


class Answers:
    """Shares answers, and failures, among the checks that ask the same."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._once = Once()

    def __call__(self, access: HostAccess, *verb: str) -> Any:
        """The JSON that the verb printed."""
        return self._once((access.name, *verb), lambda: self._in_turn(access, verb))

    def _in_turn(self, access: HostAccess, verb: Sequence[str]) -> Any:
        with self._once(access.name, lambda: threading.Semaphore(_AT_ONCE)):
            return self._agent(access, verb)
