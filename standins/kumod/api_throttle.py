"""kumo.make_throttle: a rate by name, shared by all contexts of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from standins.kumod.durations import Throttle, parse_throttle
from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject, api, method

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


class NamedThrottle(LuaObject):
    """What `kumo.make_throttle` returns."""

    kind = "Throttle"

    def __init__(self, name: str, throttle: Throttle) -> None:
        self.name = name
        self.throttle = throttle


@api("kumo.make_throttle")
def make_throttle(_ctx: LuaContext, name: str, spec: str) -> NamedThrottle:
    """A throttle; those of one name share what they count."""
    parsed = parse_throttle(spec)
    if not isinstance(parsed, Throttle):
        raise KumoError(parsed)
    return NamedThrottle(name, parsed)


@method("Throttle", "throttle")
def throttle(ctx: LuaContext, named: NamedThrottle) -> dict[str, Any]:
    """Whether it is too much now."""
    delay = ctx.facts.throttles.delay(f"lua:{named.name}", named.throttle, ctx.facts.now())
    return {"throttled": delay > 0, "limit": named.throttle.limit, "retry_after": delay or None}
