"""The spool: files that survive a crash, and what a power cut loses."""

import json
from collections import deque
from pathlib import Path

from standins.kumod.facts import Clock
from standins.kumod.message import Message

#: Seconds after which Linux writes a dirty page out unless it is told otherwise.
WRITE_BACK = 30.0


class PageCache:
    """Remembers the content before each write: kumod syncs neither its spool nor its logs."""

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
        """Undo the writes of the last seconds, the latest first."""
        since = self._clock.now() - write_back
        for moment, path, content in reversed(self._before):
            if moment > since:
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)
        self._before.clear()


class Spool:
    """One file for the data and one for the rest, each written and renamed into place.

    As kumod's, it survives a killed process but asks for no sync: see `PageCache`.
    """

    def __init__(self, data: Path, meta: Path, cache: PageCache | None = None) -> None:
        self._cache = cache
        self._data = data
        self._meta = meta
        for folder in (data, meta):
            folder.mkdir(parents=True, exist_ok=True)

    def _paths(self, message_id: str) -> tuple[Path, Path]:
        return self._data / message_id[:2] / message_id, self._meta / message_id[:2] / message_id

    def save(self, message: Message) -> None:
        data, meta = self._paths(message.id)
        self._write(data, message.data)
        self._write(meta, json.dumps(message.to_spool()).encode())

    def remove(self, message_id: str) -> None:
        for path in reversed(self._paths(message_id)):
            if self._cache:
                self._cache.changing(path)
            path.unlink(missing_ok=True)

    def load_all(self) -> list[Message]:
        messages = []
        for meta in sorted(self._meta.glob("??/*")):
            data = self._data / meta.parent.name / meta.name
            if not meta.suffix and data.exists():
                messages.append(
                    Message.from_spool(json.loads(meta.read_bytes()), data.read_bytes())
                )
        return messages

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        if self._cache:
            self._cache.changing(path)
        partial = path.with_name(f"{path.name}.new")
        partial.write_bytes(content)
        partial.rename(path)
