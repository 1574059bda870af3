"""kumo.string."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from standins.kumod.errors import KumoError
from standins.kumod.registry import api
from standins.kumod.templates import render

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext

from standins.kumod.api_serde import jsonable


def lua_text(value: Any, position: int = 1) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return value
    raise KumoError(f"bad argument #{position}: error converting Lua value to String")


def _string_api(name: str, function: Callable[..., Any]) -> None:
    @api(f"kumo.string.{name}")
    def call(_ctx: LuaContext, text: Any, *args: Any) -> Any:
        return function(lua_text(text), *args)


_STRINGS: dict[str, Callable[..., Any]] = {
    "starts_with": lambda text, prefix: text.startswith(prefix),
    "ends_with": lambda text, suffix: text.endswith(suffix),
    "trim": lambda text: text.strip(),
    "trim_start": lambda text: text.lstrip(),
    "trim_end": lambda text: text.rstrip(),
    "replace": lambda text, old, new: text.replace(old, new),
    "replacen": lambda text, old, new, count: text.replace(old, new, int(count)),
    "split": lambda text, separator: text.split(separator),
    "rsplit": lambda text, separator: list(reversed(text.split(separator))),
    "splitn": lambda text, count, separator: text.split(separator, max(int(count) - 1, 0)),
    "rsplitn": lambda text, count, separator: list(
        reversed(text.rsplit(separator, max(int(count) - 1, 0)))
    ),
    "split_whitespace": lambda text: text.split(),
    "split_ascii_whitespace": lambda text: re.split(r"[ \t\n\r\f\v]+", text.strip(" \t\n\r\f\v")),
    "normalize_smtp_response": lambda text: re.sub(
        r"\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b", "{uuid}", text
    ),
}
for _name, _function in _STRINGS.items():
    _string_api(_name, _function)


@api("kumo.string.eval_template")
def eval_template(
    _ctx: LuaContext, name: str, template: str, context: Any = None, dialect: str = "Jinja"
) -> str:
    return render(template, jsonable(context or {}), dialect=dialect, html=name.endswith(".html"))


@api("kumo.string.wrap")
def wrap(_ctx: LuaContext, text: str, soft: int = 75, _hard: int = 900) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > soft:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\r\n\t".join([*lines, line])


@api("kumo.string.psl_domain")
def psl_domain(_ctx: LuaContext, domain: str) -> str | None:
    labels = domain.lower().rstrip(".").split(".")
    suffix = _suffix(labels)
    return ".".join(labels[-(suffix + 1) :]) if len(labels) > suffix else None


@api("kumo.string.psl_suffix")
def psl_suffix(_ctx: LuaContext, domain: str) -> str:
    labels = domain.lower().rstrip(".").split(".")
    return ".".join(labels[-_suffix(labels) :])


def _suffix(labels: list[str]) -> int:
    """Labels in the public suffix: the stand-in knows only the common two-level ones."""
    two = len(labels) > 1 and labels[-2] in ("co", "com", "org", "net", "ac", "gov", "or", "ne")
    return 2 if two and len(labels[-1]) == 2 else 1
