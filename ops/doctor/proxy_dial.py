"""What `ping8-agent dial` answers on a proxy host."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Dial:
    """One conversation with an exchanger, bound to a source's private address."""

    exchanger: str
    connected: bool
    error: str = ""
    greeting: str = ""
    ehlo_accepted: bool = False
    ehlo_answer: str = ""
    seen_address: str = ""

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Dial":
        """From the agent's JSON."""
        return cls(**{name: answer[name] for name in cls.__dataclass_fields__ if name in answer})
