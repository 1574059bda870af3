"""The durable note of a switch under way: who finds it knows what is left to do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hostagent.layout import Layout
from hostagent.system import durable


@dataclass(frozen=True)
class Owed:
    """Written before anything live is touched, removed when the host is healthy or back.

    `back` marks a switch back: its target is not given up again. `stopped` are units to start
    again when nothing was switched. `package` is the exact KumoMTA version to return to. `before`
    is what was bad on the host then (`health.state`).
    """

    origin: str
    target: str
    effects: tuple[str, ...]
    set_aside: tuple[str, ...] = ()
    aside: str = ""
    stopped: tuple[str, ...] = ()
    package: str = ""
    back: bool = False
    before: Mapping[str, str] = field(default_factory=dict)

    def reverse(self, effects: tuple[str, ...]) -> "Owed":
        """The note of the switch back."""
        return replace(
            self, origin=self.target, target=self.origin, effects=effects, stopped=(), back=True
        )


def write(layout: Layout, owed: Owed) -> None:
    """Make the note durable."""
    durable.write_json(layout.owed, asdict(owed))


def read(layout: Layout) -> Owed | None:
    """The note, or None when nothing is owed."""
    data: Any = durable.read_json(layout.owed)
    if not isinstance(data, dict):
        return None
    return Owed(
        origin=data["origin"],
        target=data["target"],
        effects=tuple(data["effects"]),
        set_aside=tuple(data["set_aside"]),
        aside=data["aside"],
        stopped=tuple(data["stopped"]),
        package=data["package"],
        back=data["back"],
        before=data.get("before", {}),
    )


def clear(layout: Layout) -> None:
    """Nothing is owed any more."""
    layout.owed.unlink(missing_ok=True)
    durable.sync_directory(layout.owed.parent)
