"""kumo.jsonl: reading log segments in batches, with a checkpoint."""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from standins.kumod.contract import deserialize
from standins.kumod.durations import parse_duration
from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaIterator, LuaObject
from standins.kumod.registry import api, method

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


#: The tailer's buffer: kumod 2026.06.23 reads nothing of a segment after a longer line.
LONGEST_LINE = 128 * 1024


class Position:
    """A place in the segments: everything before it has been read."""

    def __init__(self, segment: str = "", line: int = 0) -> None:
        self.segment = segment
        self.line = line


class Tailer(LuaObject):
    """Reads the lines of finished segments in the order of their names."""

    kind = "Tailer"

    def __init__(self, folder: Path, params: dict[str, Any], wanted: Any) -> None:
        self.folder = folder
        self.directory = str(params["directory"]).rstrip("/")
        self.pattern = params.get("pattern", "*")
        self.size = int(params.get("max_batch_size", 100))
        self.poll = parse_duration(params.get("max_batch_latency", "1s")) or 1.0
        name = params.get("checkpoint_name")
        self.checkpoint = folder / f".{name}" if name else None
        self.wanted = wanted
        self.closed = False
        self.position = Position() if params.get("tail") else self._read_checkpoint()
        if params.get("tail"):
            names = self._segments()
            self.position = Position(names[-1], 0) if names else Position()

    def _read_checkpoint(self) -> Position:
        if self.checkpoint is None or not self.checkpoint.exists():
            return Position()
        stored = json.loads(self.checkpoint.read_text(encoding="utf-8"))
        return Position(Path(stored["file"]).name, stored["line"])

    def write_checkpoint(self, position: Position) -> None:
        if self.checkpoint is None:
            return
        partial = self.checkpoint.with_name(f"{self.checkpoint.name}.new")
        with partial.open("w", encoding="utf-8") as file:
            named = f"{self.directory}/{position.segment}"
            json.dump({"file": named, "line": position.line}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self.checkpoint)

    def _segments(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name
            for path in self.folder.iterdir()
            if not path.name.startswith(".")
            and path.is_file()
            and fnmatch.fnmatch(path.name, self.pattern)
        )

    def _lines(self, name: str) -> tuple[list[bytes], bool]:
        """The whole lines of a segment, and whether it is finished."""
        path = self.folder / name
        finished = not path.stat().st_mode & 0o222
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        try:
            data = decompressor.decompress(path.read_bytes())
        except zstandard.ZstdError:
            data = b""
        lines = data.split(b"\n")[:-1]
        return list(takewhile(lambda line: len(line) < LONGEST_LINE, lines)), finished

    def read(self) -> tuple[list[Any], Position]:
        """Up to a batch of records after the position; the position after them."""
        records: list[Any] = []
        at = Position(self.position.segment, self.position.line)
        names = self._segments()
        for name in names:
            if name < at.segment:
                continue
            if name > at.segment:
                at = Position(name, 0)
            lines, finished = self._lines(name)
            for line in lines[at.line :]:
                if len(records) >= self.size:
                    return records, at
                at.line += 1
                if line.strip():
                    records.append(json.loads(line))
            # A crash leaves a segment that nobody finishes; a later one shows that.
            if not finished and name == names[-1]:
                break
        return records, at


class Batch(LuaObject):
    """Some records, until they are committed."""

    kind = "LogBatch"

    def __init__(self, tailer: Tailer, records: list[Any], end: Position) -> None:
        self.tailer = tailer
        self.records = records
        self.end = end
        self.committed = False


class RecordIterator:
    """The state of batch:iter_records()."""

    def __init__(self, records: list[Any]) -> None:
        self.records: Iterator[Any] = iter(records)


@api("kumo.jsonl.new_tailer")
def new_tailer(ctx: LuaContext, params: Any, wanted: Any = None) -> Tailer:
    fields = deserialize("kumo.jsonl.new_tailer", params)
    return Tailer(ctx.facts.paths.real(fields["directory"]), fields, wanted)


@method("Tailer", "batches")
def batches(_ctx: LuaContext, tailer: Tailer) -> LuaIterator:
    return LuaIterator("jsonl.next_batch", tailer)


@api("jsonl.next_batch")
def next_batch(ctx: LuaContext, tailer: Tailer) -> Batch | None:
    """In process the stream ends where there is nothing more to read; the server waits."""
    while not tailer.closed:
        records, end = tailer.read()
        moved = (end.segment, end.line) != (tailer.position.segment, tailer.position.line)
        tailer.position = end
        kept = records
        if tailer.wanted is not None:
            kept = [record for record in records if ctx.function(tailer.wanted, record)]
        if kept:
            return Batch(tailer, kept, end)
        if moved:
            continue
        if not ctx.facts.threaded:
            return None
        ctx.facts.clock.sleep(min(tailer.poll, 1.0))
        if ctx.facts.stopping:
            return None
    return None


@method("Tailer", "close")
def tailer_close(_ctx: LuaContext, tailer: Tailer) -> None:
    tailer.closed = True


@method("LogBatch", "iter_records")
def iter_records(_ctx: LuaContext, batch: Batch) -> LuaIterator:
    return LuaIterator(
        "jsonl.next_record", RecordIterator([] if batch.committed else batch.records)
    )


@api("jsonl.next_record")
def next_record(_ctx: LuaContext, iterator: RecordIterator) -> Any:
    return next(iterator.records, None)


@method("LogBatch", "commit")
def commit(_ctx: LuaContext, batch: Batch) -> None:
    if batch.committed:
        raise KumoError("batch has already been committed")
    batch.committed = True
    batch.tailer.write_checkpoint(batch.end)
