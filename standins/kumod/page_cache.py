"""What a power cut takes: writes that the kernel has not brought to the disk yet."""

from collections import deque
from pathlib import Path

from standins.kumod.facts import Clock

#: Seconds after which Linux writes a dirty page out unless it is told otherwise.
WRITE_BACK = 30.0


class PageCache:
    """Remembers what was before each write: kumod syncs neither its spool nor its logs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before: deque[tuple[float, Path, bytes | None]] = deque()

    def changing(self, path: Path) -> None:
        """A file is about to be written or removed."""
        now = self._clock.now()
        while self._before and self._before[0][0] < now - WRITE_BACK:
            self._before.popleft()
        self._before.append((now, path, path.read_bytes() if path.exists() else None))

    def power_cut(self, write_back: float) -> None:
        """Undo what is younger than so many seconds, the latest first."""
        since = self._clock.now() - write_back
        for moment, path, content in reversed(self._before):
            if moment > since:
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)
        self._before.clear()
