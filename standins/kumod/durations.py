"""Durations and throttles in KumoMTA's notation, and rate counting."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from standins.kumod.data import load

_UNITS, _PERIODS = (
    {word: size for words, size in load("units")[kind].items() for word in words.split()}
    for kind in ("durations", "periods")
)
_PART = re.compile(r"\s*(\d+)\s*([A-Za-z]+)\s*")


def parse_duration(value: object) -> float | None:
    """Seconds, or None if kumod would refuse the value."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if value >= 0 else None
    if not isinstance(value, str) or not re.fullmatch(f"(?:{_PART.pattern})+", value):
        return None
    parts = _PART.findall(value)
    if any(unit not in _UNITS for _, unit in parts):
        return None
    return sum(int(count) * float(_UNITS[unit]) for count, unit in parts)


def seconds(settings: Mapping[str, object], name: str, otherwise: float) -> float:
    """A duration from checked settings; kumod's default if there is none."""
    value = parse_duration(settings.get(name))
    return otherwise if value is None else value


_NANOSECONDS = {"days": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9,
                "ms": 10**6, "us": 1_000, "ns": 1}  # fmt: skip


def format_duration(seconds: float) -> str:
    """As in kumod's log: ``5s 30ms``."""
    left = round(seconds * 1e9)
    parts = []
    for unit, size in _NANOSECONDS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{'day' if unit == 'days' and count == 1 else unit}")
    return " ".join(parts) or "0s"


@dataclass(frozen=True, kw_only=True)
class Throttle:
    limit: int
    period: int
    burst: int | None = None


def parse_throttle(text: str) -> Throttle:
    """The throttle, or a `ValueError` with kumod's complaint."""
    body, _, most = text.removeprefix("local:").partition(",max_burst=")
    limit_text, slash, period_text = body.partition("/")
    if not slash:
        raise ValueError(f"expected 'limit/period', got {body}")
    unit = period_text.lstrip("0123456789")
    if unit not in _PERIODS:
        raise ValueError(f"unknown period quantity {unit}")
    limit = parse_limit(limit_text)
    if limit == 0:
        raise ValueError(f"invalid ThrottleSpec `{body}`: limit must be greater than 0!")
    period = _PERIODS[unit] * int(period_text.removesuffix(unit) or 1)
    return Throttle(limit=limit, period=period, burst=parse_limit(most) if most else None)


def parse_limit(text: str) -> int:
    """A number in kumod's notation, or a `ValueError` with its complaint."""
    digits = text.replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdigit()):
        problem = "invalid digit found in" if digits else "cannot parse integer from empty"
        raise ValueError(f"invalid limit '{digits}': {problem} string")
    return int(digits)


#: kumod rounds waits up to whole seconds, but not for less than this.
_MILLISECOND = 0.001


class Throttles:
    """One bucket for each key."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}

    def delay(self, key: str, throttle: Throttle, now: float) -> float:
        """Seconds to wait before the action is allowed; 0 uses one allowance."""
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
