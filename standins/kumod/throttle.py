"""Rates, by the generic cell rate algorithm that kumod uses, on the engine's clock."""

from __future__ import annotations

import math

from standins.kumod.durations import Throttle

#: kumod rounds waits up to whole seconds, but not for less than this.
_MILLISECOND = 0.001


class Throttles:
    """One bucket for each key."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}

    def delay(self, key: str, throttle: Throttle, now: float) -> float:
        """Seconds to wait before the action is allowed; 0 takes the allowance."""
        key = f"{key}:{throttle.limit}:{throttle.burst}:{throttle.period}"
        interval = throttle.period / throttle.limit
        burst = throttle.limit if throttle.burst is None else throttle.burst
        tolerance = min(burst, throttle.limit - 1) * interval
        arrival = max(self._arrivals.get(key, now), now)
        excess = arrival - now - tolerance
        if excess > _MILLISECOND:
            return float(math.ceil(excess - _MILLISECOND))
        self._arrivals[key] = arrival + interval
        return 0.0
