"""The durable note of a switch in progress, which says what is left to do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hostagent import durable
from hostagent.layout import Layout


@dataclass(frozen=True)
class Pending:
    """Written before anything live is touched, removed when the host is healthy or rolled back.

    `back` marks a rollback, whose target is not given up again. `stopped` are units to start
    again if nothing was switched. `package` is the exact KumoMTA version to return to. `before`
    is what was bad on the host then (`health.state`).
    """

    origin: str
    target: str
    effects: tuple[str, ...]
    backed_up: tuple[str, ...] = ()
    backup: str = ""
    stopped: tuple[str, ...] = ()
    package: str = ""
    back: bool = False
    before: Mapping[str, str] = field(default_factory=dict)

    def reverse(self, effects: tuple[str, ...]) -> "Pending":
        """The note of the rollback."""
        return replace(
            self, origin=self.target, target=self.origin, effects=effects, stopped=(), back=True
        )


def write(layout: Layout, pending: Pending) -> None:
    """Make the note durable."""
    durable.write_json(layout.pending, asdict(pending))


def read(layout: Layout) -> Pending | None:
    """The note, or None when nothing is pending."""
    data: Any = durable.read_json(layout.pending)
    if not isinstance(data, dict):
        return None
    return Pending(
        origin=data["origin"],
        target=data["target"],
        effects=tuple(data["effects"]),
        backed_up=tuple(data["backed_up"]),
        backup=data["backup"],
        stopped=tuple(data["stopped"]),
        package=data["package"],
        back=data["back"],
        before=data.get("before", {}),
    )


def clear(layout: Layout) -> None:
    """Nothing is pending any more."""
    layout.pending.unlink(missing_ok=True)
    durable.sync_directory(layout.pending.parent)
