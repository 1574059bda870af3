"""The metrics that alarms are made of, under kumod's names."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from standins.kumod.engine import Engine
from standins.kumod.facts import free_percent

_PAGE = os.sysconf("SC_PAGE_SIZE")
#: The counters of events, which are there once one has happened.
_COUNTED = ("proxy_connection_failures", "bind_failures")
_BY_PROVIDER = {"Delivery": "delivered", "TransientFailure": "transfail", "Bounce": "fail"}


def snapshot(engine: Engine) -> dict[str, Any]:
    """As /metrics.json: help, type and value; one label nests, several labels make a list."""
    queues = list(engine.scheduler.ready.values())
    in_ready = {message.id for queue in queues for message in list(queue.messages)}
    by_queue = Counter(
        message.queue_name() for message in engine.scheduler.waiting() if message.id not in in_ready
    )
    by_domain: Counter[str] = Counter()
    for name, count in by_queue.items():
        by_domain[name.rpartition("@")[2].partition("!")[0]] += count
    counters = engine.counters
    received = {"service": {"http_listener": counters["record:Reception"]}}
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    found = {
        "scheduled_count_total": _gauge(by_queue.total()),
        "ready_count_total": _gauge(len(in_ready)),
        "memory_usage": _gauge(resident * _PAGE),
        "memory_limit": _gauge(os.sysconf("SC_PHYS_PAGES") * _PAGE),
        "total_messages_received": {"type": "counter", "value": received},
        "lua_count": _gauge(counters["lua.context"]),
        "scheduled_by_domain": _labelled("domain", by_domain),
        "scheduled_count": _labelled("queue", by_queue),
        "ready_count": _labelled("service", _ready(engine)),
        **_disks(engine),
        **_by_provider(engine),
    }
    found |= {
        name: {"type": "counter", "value": counters[name]} for name in _COUNTED if counters[name]
    }
    # A metric with labels comes with its first value.
    return {
        name: {"help": name, **metric}
        for name, metric in found.items()
        if metric["value"] not in ({}, [])
    }


def _gauge(value: Any) -> dict[str, Any]:
    return {"type": "gauge", "value": value}


def _labelled(label: str, values: Mapping[str, float]) -> dict[str, Any]:
    return _gauge({label: dict(values)} if values else {})


def _ready(engine: Engine) -> Counter[str]:
    """Each ready queue by its protocol and name, and beside them the sum of each protocol."""
    counts: Counter[str] = Counter()
    for queue in list(engine.scheduler.ready.values()):
        path, _, protocol = queue.name.rpartition("@")
        counts[f"{protocol}:{path}"] += len(queue.messages)
        counts[protocol] += len(queue.messages)
    return counts


def _disks(engine: Engine) -> dict[str, Any]:
    configuration = engine.configuration
    folders = {
        f"{name} spool": engine.facts.paths.real(params["path"])
        for name, params in configuration.spools.items()
    }
    folders |= {f"log dir {files.params['log_dir']}": files.folder
                for files in configuration.log_files}  # fmt: skip
    free = {name: free_percent(folder) for name, folder in folders.items()}
    return {
        "disk_free_percent": _labelled("name", {name: pair[0] for name, pair in free.items()}),
        "disk_free_inodes_percent": _labelled("name", {n: pair[1] for n, pair in free.items()}),
    }


def _by_provider(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record, kind in _BY_PROVIDER.items():
        rows = [
            {"provider": provider, "source": source, "pool": pool, "@": count}
            for (of, provider, source, pool), count in list(engine.recorder.totals.items())
            if of == record
        ]
        name = f"total_messages_{kind}_by_provider_and_source"
        found[name] = {"type": "counter", "value": rows}
    return found


def as_text(metrics: dict[str, Any]) -> str:
    """The same in Prometheus' text format."""
    lines = []
    for name, metric in metrics.items():
        lines += [f"# HELP {name} {metric['help']}", f"# TYPE {name} {metric['type']}"]
        match metric["value"]:
            case None:
                pass
            case dict() as by_label:
                ((label, entries),) = by_label.items()
                lines += [f'{name}{{{label}="{key}"}} {number}' for key, number in entries.items()]
            case list() as rows:
                for row in rows:
                    labels = ",".join(f'{key}="{text}"' for key, text in row.items() if key != "@")
                    lines.append(f"{name}{{{labels}}} {row['@']}")
            case value:
                lines.append(f"{name} {value}")
    return "\n".join(lines) + "\n"
