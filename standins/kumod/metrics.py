"""The metrics that alarms are made of, under kumod's names."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from standins.kumod.engine import Kumod

_PAGE = os.sysconf("SC_PAGE_SIZE")


def snapshot(engine: Kumod) -> dict[str, Any]:
    """As /metrics.json: help, type and value; one label nests, several labels make a list."""
    in_ready = {
        message.id for queue in engine.scheduler.ready.values() for message in list(queue.messages)
    }
    by_queue = Counter(
        message.queue_name() for message in engine.scheduler.waiting() if message.id not in in_ready
    )
    by_domain: Counter[str] = Counter()
    for name, count in by_queue.items():
        by_domain[name.rpartition("@")[2].partition("!")[0]] += count
    waiting = sum(by_domain.values())
    ready = sum(len(queue.messages) for queue in engine.scheduler.ready.values())
    counters = engine.facts.counters
    metrics = {
        "scheduled_count_total": _gauge("messages in the scheduled queues", waiting),
        "ready_count_total": _gauge("messages in the ready queues", ready),
        "memory_usage": _gauge("bytes of resident memory", _resident()),
        "memory_limit": _gauge("soft limit of memory", _memory_total()),
        "total_messages_received": _one(
            "messages received",
            "service",
            {"http_listener": counters["record:Reception"]},
        ),
        "lua_count": _gauge("Lua contexts made", counters["lua.context"]),
    }
    if by_domain:
        metrics["scheduled_by_domain"] = _one("by domain", "domain", dict(by_domain), "gauge")
        metrics["scheduled_count"] = _one("by queue", "queue", dict(by_queue), "gauge")
    by_service = _ready(engine)
    if by_service:
        metrics["ready_count"] = _one("ready queues", "service", by_service, "gauge")
    metrics |= _disks(engine)
    for name in ("proxy_connection_failures", "bind_failures", "total_connections_denied"):
        if counters[name]:
            metrics[name] = {"help": name, "type": "counter", "value": counters[name]}
    metrics |= _by_provider(engine)
    return metrics


def _gauge(text: str, value: float) -> dict[str, Any]:
    return {"help": text, "type": "gauge", "value": value}


def _one(text: str, label: str, values: dict[str, Any], kind: str = "counter") -> dict[str, Any]:
    return {"help": text, "type": kind, "value": {label: values}}


def _ready(engine: Kumod) -> dict[str, int]:
    """Each ready queue by its protocol and name, and beside them the sum of each protocol."""
    counts: Counter[str] = Counter()
    for queue in engine.scheduler.ready.values():
        path, _, protocol = queue.name.rpartition("@")
        counts[f"{protocol}:{path}"] += len(queue.messages)
        counts[protocol] += len(queue.messages)
    return dict(counts)


def _disks(engine: Kumod) -> dict[str, Any]:
    space: dict[str, float] = {}
    inodes: dict[str, float] = {}
    folders = {
        f"{name} spool": engine.facts.paths.real(params["path"])
        for name, params in engine.configuration.spools.items()
    }
    folders |= {
        f"log dir {files.params['log_dir']}": engine.facts.paths.real(files.params["log_dir"])
        for files in engine.configuration.log_files
    }
    for name, folder in folders.items():
        space[name], inodes[name] = free_percent(folder)
    if not space:
        return {}
    return {
        "disk_free_percent": _one("free space", "name", space, "gauge"),
        "disk_free_inodes_percent": _one("free inodes", "name", inodes, "gauge"),
    }


def free_percent(folder: Path) -> tuple[float, float]:
    """Free space and free inodes of the folder's file system, in percent."""
    while not folder.exists():
        folder = folder.parent
    status = os.statvfs(folder)
    space = 100.0 * status.f_bavail / status.f_blocks if status.f_blocks else 100.0
    inodes = 100.0 * status.f_favail / status.f_files if status.f_files else 100.0
    return round(space, 2), round(inodes, 2)


def _by_provider(engine: Kumod) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, record in (
        ("delivered", "Delivery"), ("transfail", "TransientFailure"), ("fail", "Bounce"),
    ):  # fmt: skip
        rows = [
            {"provider": key[1], "source": key[2], "pool": key[3], "@": count}
            for key, count in engine.recorder.totals.items()
            if key[0] == record
        ]
        if rows:
            name = f"total_messages_{kind}_by_provider_and_source"
            found[name] = {"help": name, "type": "counter", "value": rows}
    return found


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * _PAGE


def _memory_total() -> int:
    return os.sysconf("SC_PHYS_PAGES") * _PAGE


def as_text(metrics: dict[str, Any]) -> str:
    """The same in Prometheus' text format."""
    lines = []
    for name, metric in metrics.items():
        lines += [f"# HELP {name} {metric['help']}", f"# TYPE {name} {metric['type']}"]
        value = metric["value"]
        if value is None:
            continue
        if isinstance(value, dict):
            ((label, entries),) = value.items()
            lines += [f'{name}{{{label}="{key}"}} {number}' for key, number in entries.items()]
        elif isinstance(value, list):
            for row in value:
                labels = ",".join(f'{key}="{text}"' for key, text in row.items() if key != "@")
                lines.append(f"{name}{{{labels}}} {row['@']}")
        else:
            lines.append(f"{name} {value}")
    return "\n".join(lines) + "\n"
