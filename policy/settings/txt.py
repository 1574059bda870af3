"""TXT values in the forms of consoles and zone files."""

import re
from typing import Annotated

from pydantic import AfterValidator

from policy.settings.base import Kind

_STRING = r'"((?:[^"\\]|\\.)*)"'
_QUOTED = re.compile(rf"\(?\s*{_STRING}(?:\s*{_STRING})*\s*\)?")


def txt_value(text: str) -> str:
    """The value itself: quoted strings are joined and unescaped."""
    text = text.strip()
    if not text.startswith(('"', '("', "( ")):
        if "\\" in text:
            raise ValueError(
                'if the backslash is part of the value, write it as \\\\ and the value in "..."; '
                "otherwise remove it: some consoles show one before ; and quotes"
            )
        return text
    if not _QUOTED.fullmatch(text):
        raise ValueError('write one value: "..." or several strings "..." "..." that are joined')
    return "".join(_unescaped(part) for part in re.findall(_STRING, text))


def _unescaped(part: str) -> str:
    if re.search(r"(?<!\\)(?:\\\\)*\\[0-9]", part):
        raise ValueError(
            "write the character itself instead of a backslash with a number, which is decimal in "
            "zone files and octal in Route 53"
        )
    return re.sub(r"\\(.)", r"\1", part)


TxtValue = Annotated[str, AfterValidator(txt_value), Kind(name="text")]
"""A TXT value, plain or as consoles show it: in quotes, in several strings, with escapes."""
