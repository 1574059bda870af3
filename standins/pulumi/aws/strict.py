"""Every call is held to what AWS documents: botocore's models, and the rules of limits.toml.

Botocore itself looks at types, required members and minimal lengths; patterns, greatest lengths,
ranges and closed sets of words are AWS's to check, and moto does not.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

# Java's classes of characters, which Python's expressions do not know.
_CLASSES = {
    r"\p{L}": "a-zA-Z\u00c0-\uffff",
    r"\p{Z}": " \u00a0",
    r"\p{N}": "0-9",
    r"\p{ASCII}": r"\x00-\x7f",
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One documented limit that no model holds."""

    calls: list[str]
    member: str
    code: str
    message: str
    source: str
    pattern: str | None = None
    max: int | None = None
    range: tuple[int, int] | None = None

    def allows(self, value: Any) -> bool:
        if self.range is not None:
            return self.range[0] <= int(value) <= self.range[1]
        text = str(value)
        fits = self.max is None or len(text) <= self.max
        return fits and (self.pattern is None or re.fullmatch(self.pattern, text) is not None)


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of limits.toml."""
    text = Path(__file__).with_name("limits.toml").read_text("utf-8")
    return tuple(Rule(**rule) for rule in tomllib.loads(text)["rule"])


def check(params: dict[str, Any], model: OperationModel, **_: Any) -> None:
    """Raises what AWS would answer to these parameters."""
    for member, value in _leaves(params):
        for rule in rules():
            if rule.member == member and model.name in rule.calls and not rule.allows(value):
                raise refusal(model.name, rule.code, rule.message)
    found = list(_violations(model.input_shape, params, ""))
    if found:
        noun = "error" if len(found) == 1 else "errors"
        text = f"{len(found)} validation {noun} detected: {'; '.join(found)}"
        raise refusal(model.name, "ValidationError", text)


def refusal(operation: str, code: str, message: str) -> ClientError:
    """An error of the API."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def _leaves(value: Any, member: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, member)
    else:
        yield member, value


def _violations(shape: Shape | None, value: Any, path: str) -> Iterator[str]:
    if shape is None or value is None or hasattr(value, "read"):
        return
    said = f"Value at '{path}' failed to satisfy constraint: Member must"
    if isinstance(shape, StructureShape):
        for name, inner in value.items():
            yield from _violations(shape.members.get(name), inner, f"{path}.{name}".lstrip("."))
        return
    most = shape.metadata.get("max")
    number = isinstance(value, int | float)
    if most is not None and (value if number else len(value)) > most:
        what = "value" if number else "length"
        yield f"{said} have {what} less than or equal to {most}"
    if isinstance(shape, ListShape):
        for index, inner in enumerate(value):
            yield from _violations(shape.member, inner, f"{path}.{index + 1}")
    elif isinstance(shape, MapShape):
        for key, inner in value.items():
            yield from _violations(shape.key, key, f"{path}.key")
            yield from _violations(shape.value, inner, f"{path}.{key}")
    elif isinstance(shape, StringShape):
        yield from (f"{said} {wanted}" for wanted in _wanted(shape, value))


def _wanted(shape: StringShape, value: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield f"satisfy regular expression pattern: {pattern}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    readable = pattern
    for theirs, ours in _CLASSES.items():
        readable = readable.replace(theirs, ours)
    return re.compile(readable, re.DOTALL)
