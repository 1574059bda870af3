"""The host that a run works on, with the interfaces that tests replace."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hostagent.commands import Commands
from hostagent.layout import Layout
from hostagent.report import Reporter


def _unobserved(step: str) -> None:
    del step


@dataclass(frozen=True)
class Host:
    """Paths, programs, clock and report of one run.

    `observer` gets the name of each completed step; tests inject faults there.
    """

    layout: Layout = field(default_factory=Layout)
    commands: Commands = field(default_factory=Commands)
    report: Reporter = field(default_factory=Reporter)
    observer: Callable[[str], None] = _unobserved
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def done(self, step: str) -> None:
        """A step is complete, and on disk if it must be."""
        self.report.lap(step)
        self.observer(step)
