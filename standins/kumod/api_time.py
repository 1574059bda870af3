"""kumo.time: moments and differences."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from standins.kumod import dates
from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject
from standins.kumod.registry import api

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


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
        return simple.get(name)

    def __str__(self) -> str:
        return self.moment.isoformat()


@api("kumo.time.now")
def now(ctx: LuaContext) -> Time:
    return Time(datetime.fromtimestamp(ctx.facts.clock.now(), UTC))


@api("kumo.time.with_ymd_hms")
def with_ymd_hms(_ctx: LuaContext, *parts: int) -> Time:
    try:
        return Time(datetime(*(int(part) for part in parts), tzinfo=UTC))  # type: ignore[misc, arg-type]
    except (ValueError, TypeError) as error:
        raise KumoError(str(error)) from None


@api("kumo.time.parse_rfc2822")
def parse_rfc2822(_ctx: LuaContext, text: str) -> Time:
    return Time(dates.parse_rfc2822(text))
