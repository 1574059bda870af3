"""Text that strangers may have written: journals, reports, kumod's answers; and durations."""

import re

from hostagent.errors import AgentError

_LONGEST = 7 * 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tab and line feed, Unicode's other ends of a line, what changes the
direction of writing (UAX #9), and bytes that are no text. The policy's `report_text.lua` agrees."""


def printable(text: str) -> str:
    """The text, safe for terminals and journals; line feeds and tabs stay."""
    return _UNSAFE.sub("?", text)


def printable_line(text: str) -> str:
    """The same on one line."""
    return re.sub("[\n\t]", " ", printable(text))


def duration_seconds(text: str) -> int:
    """Of what an operator gave with --for; a week at most."""
    if text[-1:] not in _UNITS or not text[:-1].isdigit():
        raise AgentError(f"{text!r} is no duration", "write --for 2h")
    seconds = int(text[:-1]) * _UNITS[text[-1]]
    if not 0 < seconds <= _LONGEST:
        raise AgentError(f"{text} is too long", "use 7d or less")
    return seconds
