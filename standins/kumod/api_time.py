"""kumo.time: moments and differences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from standins.kumod.durations import parse_duration
from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject
from standins.kumod.registry import api, method

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


class TimeDelta(LuaObject):
    """A span of time."""

    kind = "TimeDelta"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def field(self, name: str) -> Any:
        scale = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
        if name in scale:
            return self.seconds * scale[name]
        if name == "human":
            return str(timedelta(seconds=self.seconds))
        return None

    def __add__(self, other: Any) -> Any:
        return other + self if isinstance(other, Time) else TimeDelta(self.seconds + other.seconds)

    def __sub__(self, other: TimeDelta) -> TimeDelta:
        return TimeDelta(self.seconds - other.seconds)

    def __lt__(self, other: TimeDelta) -> bool:
        return self.seconds < other.seconds

    def __le__(self, other: TimeDelta) -> bool:
        return self.seconds <= other.seconds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeDelta) and self.seconds == other.seconds

    __hash__ = None  # type: ignore[assignment]


class Time(LuaObject):
    """A moment, in UTC unless it was parsed with another zone."""

    kind = "Time"

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def field(self, name: str) -> Any:
        moment = self.moment
        simple = {
            "year": moment.year, "month": moment.month, "day": moment.day, "hour": moment.hour,
            "minute": moment.minute, "second": moment.second,
            "unix_timestamp": int(moment.timestamp()),
            "unix_timestamp_millis": int(moment.timestamp() * 1000),
            "rfc3339": moment.isoformat().replace("+00:00", "Z"),
            "rfc2822": format_datetime(moment),
        }  # fmt: skip
        if name == "elapsed":
            return TimeDelta((datetime.now(UTC) - moment).total_seconds())
        return simple.get(name)

    def __str__(self) -> str:
        return self.moment.isoformat()

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Time):
            return TimeDelta((self.moment - other.moment).total_seconds())
        return Time(self.moment - timedelta(seconds=other.seconds))

    def __add__(self, other: TimeDelta) -> Time:
        return Time(self.moment + timedelta(seconds=other.seconds))

    def __lt__(self, other: Time) -> bool:
        return self.moment < other.moment

    def __le__(self, other: Time) -> bool:
        return self.moment <= other.moment

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.moment == other.moment

    __hash__ = None  # type: ignore[assignment]


class Timer(LuaObject):
    """kumo.time.start_timer: a metric in kumod, a number here."""

    kind = "Timer"

    def __init__(self, started: float) -> None:
        self.started = started


@method("Timer", "done")
def timer_done(ctx: LuaContext, timer: Timer) -> float:
    return ctx.engine.clock.now() - timer.started


@api("kumo.time.start_timer")
def start_timer(ctx: LuaContext, _name: str) -> Timer:
    return Timer(ctx.engine.clock.now())


@api("kumo.time.now")
def now(ctx: LuaContext) -> Time:
    return Time(datetime.fromtimestamp(ctx.engine.clock.now(), UTC))


@api("kumo.time.from_unix_timestamp")
def from_unix_timestamp(_ctx: LuaContext, seconds: float) -> Time:
    return Time(datetime.fromtimestamp(seconds, UTC))


@api("kumo.time.with_ymd_hms")
def with_ymd_hms(_ctx: LuaContext, *parts: int) -> Time:
    try:
        return Time(datetime(*(int(part) for part in parts), tzinfo=UTC))  # type: ignore[misc, arg-type]
    except (ValueError, TypeError) as error:
        raise KumoError(str(error)) from None


@api("kumo.time.parse_rfc3339")
def parse_rfc3339(_ctx: LuaContext, text: str) -> Time:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise KumoError(str(error)) from None
    if moment.tzinfo is None:
        raise KumoError("premature end of input")
    return Time(moment)


@api("kumo.time.parse_rfc2822")
def parse_rfc2822(_ctx: LuaContext, text: str) -> Time:
    try:
        return Time(parsedate_to_datetime(text))
    except ValueError as error:
        raise KumoError(str(error)) from None


@api("kumo.time.parse_duration")
def duration(_ctx: LuaContext, text: Any) -> TimeDelta:
    seconds = parse_duration(text)
    if seconds is None:
        raise KumoError(f"invalid duration {text!r}")
    return TimeDelta(seconds)
