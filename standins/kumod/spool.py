"""Where messages rest: in files that survive a crash."""

import json
from pathlib import Path

from standins.kumod.message import Message
from standins.kumod.page_cache import PageCache


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
