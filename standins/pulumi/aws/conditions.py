"""What differs between AWS accounts, and where AWS is slow."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass(kw_only=True)
class Conditions:
    """An account's quotas and AWS's pace; counts in place of seconds, so that tests wait for none.

    `public_after`: times that a PTR is refused before its A record counts as public.
    `known_after`: times that EC2 does not know a new instance profile.
    `throttles_every`: each so many calls is throttled; 0 for none.
    `route53_rate`: requests a second that Route 53 takes of an account, in truth 5; 0 for any.
    `route53_second`: how long a second of waiting for a record to be in sync takes; 0 for none.
    """

    elastic_ips: int = 5
    vcpus: int = 32
    public_after: int = 1
    known_after: int = 1
    throttles_every: int = 0
    route53_rate: float = 0
    route53_second: float = 0
    calls: int = 0
    refused: dict[object, int] = field(default_factory=dict)

    def reset(self) -> None:
        """A new account."""
        vars(self).update(vars(Conditions()))

    def is_throttled(self) -> bool:
        """Counts a call."""
        self.calls += 1
        return bool(self.throttles_every) and self.calls % self.throttles_every == 0

    def too_early(self, what: object, times: int) -> bool:
        """Whether AWS does not know it yet; each question counts."""
        asked = self.refused.get(what, 0)
        self.refused[what] = asked + 1
        return asked < times


CONDITIONS = Conditions()
"""Moto's state is the process's, and so is what kind of account it is."""


class Pace:
    """Lets a number of calls through per second; the others wait."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = Lock()
        self._next = 0.0

    def __call__(self, rate: float) -> None:
        if not rate:
            return
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + 1 / rate
        self._sleep(turn - now)
