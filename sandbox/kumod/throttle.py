"""Rates, as a leaky bucket on the engine's clock."""

from __future__ import annotations

from sandbox.kumod.durations import Throttle


class Throttles:
    """One bucket for each key."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}

    def delay(self, key: str, throttle: Throttle, now: float) -> float:
        """Seconds to wait before the action is allowed; 0 takes the allowance."""
        interval = throttle.period / throttle.limit
        burst = (throttle.burst if throttle.burst is not None else throttle.limit) * interval
        arrival = max(self._arrivals.get(key, now), now)
        if arrival - now > burst - interval + 1e-9:
            return arrival - now - (burst - interval)
        self._arrivals[key] = arrival + interval
        return 0.0
