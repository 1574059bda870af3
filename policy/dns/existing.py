"""What a zone holds already, held against a record that is to be made."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from policy.settings.names import lies_in


@dataclass(frozen=True, kw_only=True)
class Held:
    """A record set of a Route 53 zone, as its API spells it."""

    name: str
    type: str
    values: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """The name as we write it: `\\052` is an asterisk, and no dot comes last."""
        text = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), self.name)
        return text.rstrip(".").lower()


def obstacle(name: str, kind: str, zone: str, held: Iterable[Held]) -> Held | None:
    """The record set that keeps this one from being made, or hides it: the same, an alias, or a
    delegation above it."""
    for each in held:
        delegates = each.type == "NS" and each.plain != zone and lies_in(name, each.plain)
        same = each.plain == name and (kind == each.type or "CNAME" in (kind, each.type))
        if same or delegates:
            return each
    return None
