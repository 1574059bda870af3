"""Where messages rest: in memory for tests, in files that survive a crash on a host."""

import json
from pathlib import Path
from typing import Protocol

from standins.kumod.message import Message
from standins.kumod.page_cache import PageCache


class Spool(Protocol):
    """Keeps messages until they are done with."""

    def save(self, message: Message) -> None: ...

    def remove(self, message_id: str) -> None: ...

    def load_all(self) -> list[Message]: ...


class MemorySpool:
    """Survives the engine, not the process: a test's crash."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[str, bytes]] = {}

    def save(self, message: Message) -> None:
        self.entries[message.id] = (json.dumps(message.to_spool()), message.data)

    def remove(self, message_id: str) -> None:
        self.entries.pop(message_id, None)

    def load_all(self) -> list[Message]:
        return [
            Message.from_spool(json.loads(record), data) for record, data in self.entries.values()
        ]


class DirectorySpool:
    """One file for the data and one for the rest, each written and renamed into place.

    As kumod's, it survives a killed process but asks for no sync: see `PageCache`.
    """

    def __init__(self, data: Path, meta: Path, cache: PageCache | None = None) -> None:
        self._cache = cache
        self._data = data
        self._meta = meta
        for folder in (data, meta):
            folder.mkdir(parents=True, exist_ok=True)
        self._saved_data: set[str] = set()

    def _paths(self, message_id: str) -> tuple[Path, Path]:
        return self._data / message_id[:2] / message_id, self._meta / message_id[:2] / message_id

    def save(self, message: Message) -> None:
        data, meta = self._paths(message.id)
        if message.id not in self._saved_data or message.num_attempts == 0:
            self._write(data, message.data)
            self._saved_data.add(message.id)
        self._write(meta, json.dumps(message.to_spool()).encode())

    def remove(self, message_id: str) -> None:
        self._saved_data.discard(message_id)
        for path in self._paths(message_id)[::-1]:
            if self._cache:
                self._cache.changing(path)
            path.unlink(missing_ok=True)

    def load_all(self) -> list[Message]:
        messages = []
        for path in sorted(self._meta.glob("??/*")):
            data = self._data / path.parent.name / path.name
            if path.suffix or not data.exists():
                continue
            record = json.loads(path.read_bytes())
            messages.append(Message.from_spool(record, data.read_bytes()))
            self._saved_data.add(path.name)
        return messages

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        if self._cache:
            self._cache.changing(path)
        partial = path.with_name(f"{path.name}.new")
        partial.write_bytes(content)
        partial.rename(path)
