"""Log records, and the files and hooks that take them."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zstandard

from standins.kumod import headers as hdr
from standins.kumod.durations import parse_duration
from standins.kumod.errors import KumoError
from standins.kumod.message import Message
from standins.kumod.page_cache import PageCache
from standins.kumod.templates import check, render


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a peer (or kumod itself) answered."""

    code: int
    content: str
    enhanced: tuple[int, int, int] | None = None
    command: str | None = None

    def to_json(self) -> dict[str, Any]:
        enhanced = None
        if self.enhanced:
            enhanced = dict(zip(("class", "subject", "detail"), self.enhanced, strict=True))
        return {
            "code": self.code,
            "enhanced_code": enhanced,
            "content": self.content,
            "command": self.command,
        }


@dataclass(frozen=True, kw_only=True)
class Disposition:
    """Something that happened to a message."""

    kind: str
    message: Message
    response: Response
    site: str = ""
    peer: tuple[str, str] | None = None
    egress_pool: str | None = None
    egress_source: str | None = None
    delivery_protocol: str | None = None
    source_address: Mapping[str, Any] | None = None
    session_id: str | None = None
    tls: Mapping[str, Any] | None = None
    provider: str | None = None
    log_arf: bool = False
    log_oob: bool = False
    report: Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


def stamp(moment: float) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace(
        "+00:00", "Z"
    )  # fmt: skip


def make_record(
    what: Disposition, *, now: float, node_id: str, classification: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON record; keys as in kumod's, optional ones left out."""
    message = what.message
    recipients = [recipient.text for recipient in message.recipients]
    headers = _chosen_headers(message, params.get("headers") or [])
    record: dict[str, Any] = {
        "type": what.kind,
        "id": message.id,
        "sender": message.sender.text,
        "recipient": recipients[0] if len(recipients) == 1 else recipients,
        "queue": message.queue_name(),
        "site": what.site,
        "size": len(message.data),
        "response": what.response.to_json(),
        "peer_address": {"name": what.peer[0], "addr": what.peer[1]} if what.peer else None,
        "timestamp": int(now),
        "created": int(message.created),
        "num_attempts": message.num_attempts,
        "bounce_classification": classification,
        "egress_pool": what.egress_pool,
        "egress_source": what.egress_source,
        "source_address": dict(what.source_address) if what.source_address else None,
        "feedback_report": dict(what.report) if what.report else None,
        "meta": _chosen_meta(message.meta, params.get("meta") or []),
        "headers": headers,
        "delivery_protocol": what.delivery_protocol,
        "reception_protocol": message.meta.get("reception_protocol"),
        "nodeid": node_id,
        "event_time": stamp(now),
        "created_time": stamp(message.created),
    }
    record.update(what.tls or {})
    if what.provider:
        record["provider_name"] = what.provider
    if what.session_id:
        record["session_id"] = what.session_id
    record.update(what.overrides)
    return record


def _chosen_meta(meta: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in names:
        if name.endswith("*"):
            chosen |= {key: value for key, value in meta.items() if key.startswith(name[:-1])}
        elif meta.get(name) is not None:
            chosen[name] = meta[name]
    return chosen


def _chosen_headers(message: Message, names: list[str]) -> dict[str, Any]:
    if not names:
        return {}
    found: dict[str, tuple[str, list[str]]] = {}
    for name, raw in message.header_list():
        _, values = found.setdefault(name.lower(), (name, []))
        values.append(hdr.decode_value(hdr.unfold(raw)))
    chosen: dict[str, Any] = {}
    for wanted in names:
        prefix = wanted.lower().removesuffix("*")
        for lower, (name, values) in found.items():
            if lower == prefix or (wanted.endswith("*") and lower.startswith(prefix)):
                chosen[name] = values[0] if len(values) == 1 else values
    return chosen


def per_record(params: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The settings for this type of record, else those for Any."""
    settings = params.get("per_record") or {}
    chosen: Mapping[str, Any] = settings.get(kind, settings.get("Any", {}))
    return chosen


def record_text(params: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """The record as JSON, or as the template makes it; always one line end at the end."""
    template = per_record(params, record["type"]).get("template")
    if template:
        text = render(template, {**record, "log_record": dict(record)})
    else:
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    return text if text.endswith("\n") else text + "\n"


class LogFile:
    """Segments of zstd-compressed lines; a finished segment is read-only, as kumod's.

    A line reaches the file when the compressor gives out its block or the segment ends: what it
    still holds is gone with the process.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        real: Callable[[str], Path],
        cache: PageCache | None = None,
    ) -> None:
        self.params = params
        self._cache = cache
        self._real = real
        self._segments: dict[Path, _Segment] = {}
        # Deliveries write while the upkeep flushes and closes.
        self._lock = threading.Lock()
        self._duration = parse_duration(params["max_segment_duration"]) if params.get(
            "max_segment_duration"
        ) else None  # fmt: skip
        self._max_size = int(params.get("max_file_size", 1_000_000_000))

    def write(self, record: Mapping[str, Any], now: float) -> None:
        text = record_text(self.params, record)
        with self._lock:
            self._write(record, text, now)

    def _write(self, record: Mapping[str, Any], text: str, now: float) -> None:
        settings = per_record(self.params, record["type"])
        folder = self._real(settings.get("log_dir") or self.params["log_dir"])
        suffix = settings.get("suffix") or ""
        key = folder / f"*{suffix}"
        segment = self._segments.get(key)
        if segment is not None and self._is_over(segment, now):
            self._close(key)
            segment = None
        if segment is None:
            level = self.params.get("compression_level", 3)
            segment = _Segment(folder, suffix, now, level, self._cache)
            header = settings.get("segment_header")
            if header:
                segment.write(header)
            self._segments[key] = segment
        segment.write(text)
        if segment.written >= self._max_size:
            self._close(key)

    def expire(self, now: float) -> None:
        """Finish the segments that are old enough."""
        with self._lock:
            for key, segment in list(self._segments.items()):
                if self._is_over(segment, now):
                    self._close(key)

    def _is_over(self, segment: _Segment, now: float) -> bool:
        return self._duration is not None and now - segment.opened >= self._duration

    def close(self) -> None:
        with self._lock:
            for key in list(self._segments):
                self._close(key)

    def _close(self, key: Path) -> None:
        # Where the disk fails, kumod reports it and goes on.
        with contextlib.suppress(OSError):
            self._segments.pop(key).close()


class _Appended(io.RawIOBase):
    """A segment's file: nothing is buffered between the compressor and the kernel."""

    def __init__(self, path: Path, cache: PageCache | None) -> None:
        if cache:
            cache.changing(path)
        self._path = path
        self._cache = cache
        self._file = path.open("wb", buffering=0)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._cache:
            self._cache.appending(self._path, self._file.tell())
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def mark_left_segments(params: Mapping[str, Any], real: Callable[[str], Path]) -> None:
    """What a crash left open is done when a logger starts on its folder."""
    folders = [
        params["log_dir"],
        *(s.get("log_dir") for s in (params.get("per_record") or {}).values()),
    ]
    for folder in {real(name) for name in folders if name}:
        for path in folder.glob("[0-9]*") if folder.is_dir() else ():
            _mark_done(path)


def _mark_done(path: Path) -> None:
    path.chmod(path.stat().st_mode & ~0o222)


class _Segment:
    def __init__(
        self, folder: Path, suffix: str, now: float, level: int, cache: PageCache | None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        stamp_text = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S.%f")
        self.path = folder / f"{stamp_text}{suffix}"
        counter = 0
        while self.path.exists():
            counter += 1
            self.path = folder / f"{stamp_text}{counter:03d}{suffix}"
        self.opened = now
        self.written = 0
        try:
            file: Any = _Appended(self.path, cache)
        except OSError as error:
            raise KumoError(f"open log file {self.path}: {error}") from None
        self._writer = zstandard.ZstdCompressor(level=level).stream_writer(file)

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        self.written += len(data)
        try:
            self._writer.write(data)
        except OSError as error:
            raise KumoError(f"writing {self.path}: {error}") from None

    def close(self) -> None:
        self._writer.close()  # type: ignore[no-untyped-call]
        _mark_done(self.path)


def new_session_id() -> str:
    return str(uuid.uuid4())


def check_template(params: Mapping[str, Any]) -> None:
    """A template that does not parse is refused when the logger is configured."""
    for kind, settings in (params.get("per_record") or {}).items():
        if settings.get("template"):
            source = settings["template"]
            try:
                check(source, kind)
            except KumoError as error:
                where = f"compiling template:\n{source}\nfor log record type {kind}"
                raise KumoError(f"{where}: {error}") from None
