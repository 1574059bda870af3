"""What a power cut takes: writes that the kernel has not brought to the disk yet."""

from collections import deque
from collections.abc import Callable
from pathlib import Path

from standins.kumod.facts import Clock

#: Seconds after which Linux writes a dirty page out unless it is told otherwise.
WRITE_BACK = 30.0


class PageCache:
    """Remembers how to undo each write; kumod asks for no sync, neither for spool nor for logs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._undo: deque[tuple[float, Callable[[], object]]] = deque()

    def changing(self, path: Path) -> None:
        """A file is about to be replaced or removed."""
        before = path.read_bytes() if path.exists() else None

        def undo() -> None:
            if before is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(before)

        self._note(undo)

    def appending(self, path: Path, size: int) -> None:
        """A file of that size is about to grow."""

        def undo() -> None:
            if path.exists():
                with path.open("r+b") as file:
                    file.truncate(size)

        self._note(undo)

    def _note(self, undo: Callable[[], object]) -> None:
        now = self._clock.now()
        while self._undo and self._undo[0][0] < now - WRITE_BACK:
            self._undo.popleft()
        self._undo.append((now, undo))

    def power_cut(self, write_back: float) -> None:
        """Undo what is younger than so many seconds, the latest first."""
        since = self._clock.now() - write_back
        while self._undo and self._undo[-1][0] > since:
            self._undo.pop()[1]()
        self._undo.clear()
