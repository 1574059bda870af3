"""Problems of a stack file, each with its key, its value and its fix."""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import SecretStr

from policy.errors import UserError
from policy.settings.plain_secrets import Path, looks_secret

PROJECT = "ping8-mail"
"""The namespace of our keys in a stack file."""

HIDDEN = "(hidden)"
_LONGEST_VALUE = 120
_SHOWN_OF_A_KIND = 10
_MOST_LISTED = 50
_INDEX = re.compile(r"\[(?:line )?\d+\]")
_VALUE = re.compile(r"\S*[\d.]\S*")
"""A word of a fix that differs from entry to entry: a domain, a number."""
_USER_INFO = re.compile(r"//[^/?#\s]*@")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to fix. `value` is safe to print; it is never a secret's."""

    key: str
    value: str
    fix: str

    def __str__(self) -> str:
        """One line for an operator."""
        shown = f" = {self.value}" if self.value else ""
        return f"{self.key}{shown}: {self.fix}"


class SettingsError(UserError):
    """Every problem of a stack file together."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        count = len(self.problems)
        head = f"{count:,} problem{'' if count == 1 else 's'} in the settings; nothing was changed:"
        super().__init__("\n".join([head, *(f"  - {line}" for line in _lines(self.problems))]))


def _lines(problems: Iterable[Problem]) -> Iterator[str]:
    """One line a problem; of many with one fix at one key of different entries the first ones."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        kind = _INDEX.sub("[]", problem.key), _VALUE.sub("", problem.fix)
        kinds.setdefault(kind, []).append(problem)
    for alike in kinds.values():
        yield from map(str, alike[:_SHOWN_OF_A_KIND])
        if len(alike) > _SHOWN_OF_A_KIND:
            yield f"and {len(alike) - _SHOWN_OF_A_KIND:,} more of this kind"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found, before the file with the value is known."""

    path: Path
    fix: str
    value: object = field(default="", repr=False)


def key_of(path: Path) -> str:
    """A path as operators write it, without the namespace: `pools[1].sources.x`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: object) -> str:
    """A value for a message: short, one line, never a secret's."""
    if value is None or value == "":
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if looks_secret(text):
        return HIDDEN
    text = _USER_INFO.sub(f"//{HIDDEN}@", text)
    text = text if text.isprintable() else json.dumps(text)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that the user probably meant."""
    by_folded = {_fold(known): known for known in words}
    match = difflib.get_close_matches(_fold(word), by_folded, n=1, cutoff=0.6)
    return by_folded[match[0]] if match else None


def one_of(words: Collection[str], meant: str) -> str:
    """Suggests the nearest word; if none is near, lists them."""
    near = nearest(meant, words)
    if near is not None:
        return f"did you mean {near}?"
    listed, more = sorted(words)[:_MOST_LISTED], len(words) - _MOST_LISTED
    others = f" and {more:,} more" if more > 0 else ""
    return f"use one of: {', '.join(listed)}{others}" if words else "define it first"


def _fold(word: str) -> str:
    """Without what people mix up: case, hyphens and underscores."""
    return word.lower().replace("_", "").replace("-", "")
