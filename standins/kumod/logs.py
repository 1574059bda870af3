"""Log records, and the files and hooks that receive them."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zstandard

from standins.kumod.durations import seconds
from standins.kumod.errors import KumoError
from standins.kumod.message import Message
from standins.kumod.spool import PageCache
from standins.kumod.templates import check, render


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a peer (or kumod itself) answered."""

    code: int
    content: str
    enhanced: tuple[int, int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        names = ("class", "subject", "detail")
        enhanced = dict(zip(names, self.enhanced, strict=True)) if self.enhanced else None
        code = {"code": self.code, "enhanced_code": enhanced}
        return code | {"content": self.content, "command": None}


#: Records what happened to a message; the fields are the record's own.
Log = Callable[..., None]


def stamp(moment: float) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def make_record(
    kind: str, message: Message, response: Response, params: Mapping[str, Any], **fields: Any
) -> dict[str, Any]:
    """The JSON record; keys as in kumod's, optional ones left out."""
    recipients = [recipient.text for recipient in message.recipients]
    return {
        "type": kind,
        "id": message.id,
        "sender": message.sender.text,
        "recipient": recipients[0] if len(recipients) == 1 else recipients,
        "queue": message.queue_name(),
        "site": "",
        "size": len(message.data),
        "response": response.to_json(),
        "peer_address": None,
        "created": int(message.created),
        "num_attempts": message.num_attempts,
        "egress_pool": None,
        "egress_source": None,
        "source_address": None,
        "feedback_report": None,
        "meta": _chosen_meta(message.meta, params.get("meta") or []),
        "headers": _chosen_headers(message, params.get("headers") or []),
        "delivery_protocol": None,
        "reception_protocol": message.meta.get("reception_protocol"),
        "created_time": stamp(message.created),
        **fields,
    }


def address(name: str, addr: str) -> dict[str, str]:
    return {"name": name, "addr": addr}


def _chosen_meta(meta: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in names:
        if name.endswith("*"):
            chosen |= {key: value for key, value in meta.items() if key.startswith(name[:-1])}
        elif meta.get(name) is not None:
            chosen[name] = meta[name]
    return chosen


def _chosen_headers(message: Message, names: list[str]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for name, value in message.headers() if names else ():
        found.setdefault(name, []).append(value)
    wanted = {name.lower() for name in names}
    return {
        name: values[0] if len(values) == 1 else values
        for name, values in found.items()
        if name.lower() in wanted
    }


def per_record(params: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The settings for this type of record, else those for Any."""
    settings = params.get("per_record") or {}
    chosen: Mapping[str, Any] = settings.get(kind, settings.get("Any", {}))
    return chosen


def record_text(params: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """The record as JSON, or as the template renders it; ends with one line end."""
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
        self, params: Mapping[str, Any], folder: Path, cache: PageCache | None = None
    ) -> None:
        self.params = params
        self.folder = folder
        self._cache = cache
        self._duration = seconds(params, "max_segment_duration", math.inf)
        self._segment: _Segment | None = None
        # Deliveries write while the upkeep closes.
        self._lock = threading.Lock()

    def write(self, record: Mapping[str, Any], now: float) -> None:
        text = record_text(self.params, record)
        self.expire(now)
        with self._lock:
            if self._segment is None:
                self._segment = _Segment(self.folder, now, self._cache)
            self._segment.write(text)

    def expire(self, now: float) -> None:
        """Finish the segment when it is old enough."""
        with self._lock:
            segment = self._segment
            if segment is not None and now - segment.opened >= self._duration:
                self._segment = None
                segment.close()

    def close(self) -> None:
        self.expire(math.inf)

    def mark_left_segments(self) -> None:
        """A logger that starts marks segments that a crash left open as done."""
        for path in self.folder.glob("[0-9]*"):
            _mark_done(path)


class _Unbuffered(io.FileIO):
    """A segment's file: nothing is kept between the compressor and the kernel."""

    def __init__(self, path: Path, cache: PageCache | None) -> None:
        self._cache = cache
        self._path = path
        self._changing()
        super().__init__(path, "wb")

    def write(self, data: Any) -> int:
        self._changing()
        return super().write(data)

    def _changing(self) -> None:
        if self._cache:
            self._cache.changing(self._path)


def _mark_done(path: Path) -> None:
    path.chmod(path.stat().st_mode & ~0o222)


class _Segment:
    def __init__(self, folder: Path, now: float, cache: PageCache | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S.%f")
        names = itertools.chain([name], (f"{name}{count:03d}" for count in itertools.count(1)))
        self._path = next(path for path in map(folder.joinpath, names) if not path.exists())
        self.opened = now
        try:
            file = _Unbuffered(self._path, cache)
        except OSError as error:
            raise KumoError(f"open log file {self._path}: {error}") from None
        self._writer = zstandard.ZstdCompressor().stream_writer(file)

    def write(self, text: str) -> None:
        try:
            self._writer.write(text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise KumoError(f"writing {self._path}: {error}") from None

    def close(self) -> None:
        """If the disk fails, kumod reports it and goes on."""
        with contextlib.suppress(OSError):
            self._writer.close()  # type: ignore[no-untyped-call]
            _mark_done(self._path)


def new_session_id() -> str:
    return str(uuid.uuid4())


def check_templates(params: Mapping[str, Any]) -> None:
    """A template that does not parse is refused when the logger is configured."""
    for kind, settings in (params.get("per_record") or {}).items():
        if settings.get("template"):
            check(settings["template"], kind)
