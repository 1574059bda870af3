"""Durations and throttles in KumoMTA's notation, and the counting of rates."""

import math
import re
from dataclasses import dataclass

_UNITS = {
    **dict.fromkeys(("nsec", "ns", "nanos"), 1e-9),
    **dict.fromkeys(("usec", "us", "micros"), 1e-6),
    **dict.fromkeys(("msec", "ms", "millis"), 1e-3),
    **dict.fromkeys(("seconds", "second", "secs", "sec", "s"), 1.0),
    **dict.fromkeys(("minutes", "minute", "mins", "min", "m"), 60.0),
    **dict.fromkeys(("hours", "hour", "hrs", "hr", "h"), 3600.0),
    **dict.fromkeys(("days", "day", "d"), 86_400.0),
    **dict.fromkeys(("weeks", "week", "w"), 604_800.0),
    **dict.fromkeys(("months", "month", "M"), 2_630_016.0),
    **dict.fromkeys(("years", "year", "y"), 31_557_600.0),
}
_PART = re.compile(r"\s*(\d+)\s*([A-Za-z]+)\s*")
_PERIODS = {
    **dict.fromkeys(("h", "hr", "hour"), 3600),
    **dict.fromkeys(("m", "min", "minute"), 60),
    **dict.fromkeys(("s", "sec", "second"), 1),
    **dict.fromkeys(("d", "day"), 86_400),
}


def parse_duration(value: object) -> float | None:
    """Seconds, or None where kumod would refuse the value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if value >= 0 else None
    if not isinstance(value, str) or not value.strip():
        return None
    total, position = 0.0, 0
    while position < len(value):
        match = _PART.match(value, position)
        if match is None or match[2] not in _UNITS:
            return None
        total += int(match[1]) * _UNITS[match[2]]
        position = match.end()
    return total


def format_duration(seconds: float) -> str:
    """As in kumod's log: ``5s 30ms``."""
    nanoseconds = round(seconds * 1e9)
    parts = []
    for unit, size in (
        ("days", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ):
        count, nanoseconds = divmod(nanoseconds, size)
        if count:
            name = "day" if unit == "days" and count == 1 else unit
            parts.append(f"{count}{name}")
    return " ".join(parts) or "0s"


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """So many actions in a period."""

    limit: int
    period: int
    burst: int | None = None


def parse_throttle(text: str) -> Throttle | str:
    """The throttle, or kumod's complaint about the text."""
    body = text.removeprefix("local:")
    burst: int | None = None
    if ",max_burst=" in body:
        body, _, burst_text = body.partition(",max_burst=")
        parsed = _number(burst_text)
        if isinstance(parsed, str):
            return parsed
        burst = parsed
    limit_text, slash, period_text = body.partition("/")
    if not slash:
        return f"expected 'limit/period', got {body}"
    match = re.fullmatch(r"(\d*)(.*)", period_text, re.DOTALL)
    scale, unit = (match[1], match[2]) if match else ("", period_text)
    if unit not in _PERIODS:
        return f"unknown period quantity {unit}"
    limit = _number(limit_text)
    if isinstance(limit, str):
        return limit
    if limit == 0:
        return f"invalid ThrottleSpec `{body}`: limit must be greater than 0!"
    return Throttle(limit=limit, period=_PERIODS[unit] * int(scale or 1), burst=burst)


def _number(text: str) -> int | str:
    digits = text.replace("_", "").replace(",", "")
    if not digits:
        return f"invalid limit '{text}': cannot parse integer from empty string"
    if not digits.isascii() or not digits.isdigit():
        return f"invalid limit '{text}': invalid digit found in string"
    return int(digits)


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
