"""TXT values in the forms that consoles and zone files show them."""

import re
from typing import Annotated

from pydantic import AfterValidator

from policy.settings.base import Kind

_STRING = r'"((?:[^"\\]|\\.)*)"'
_QUOTED = re.compile(rf"\(?\s*{_STRING}(?:\s*{_STRING})*\s*\)?")


def txt_value(text: str) -> str:
    """The value itself: strings in quotes are joined, and their escapes are taken away."""
    text = text.strip()
    if not text.startswith(('"', '("', "( ")):
        if "\\" in text:
            raise ValueError(
                'write a backslash that is part of the value as \\\\ and the whole in "...", else '
                "leave it out: some consoles show one before ; and quotes"
            )
        return text
    if not _QUOTED.fullmatch(text):
        raise ValueError('write one value: "..." or several strings "..." "..." that are joined')
    return "".join(_unescaped(part) for part in re.findall(_STRING, text))


def _unescaped(part: str) -> str:
    if re.search(r"(?<!\\)(?:\\\\)*\\[0-9]", part):
        raise ValueError(
            "write the character itself instead of a backslash with a number: zone files count in "
            "tens, Route 53 in eights"
        )
    return re.sub(r"\\(.)", r"\1", part)


TxtValue = Annotated[str, AfterValidator(txt_value), Kind(name="text")]
"""A TXT value as it is, or as consoles show it: in quotes, in several strings, with escapes."""
