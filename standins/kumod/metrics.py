"""The metrics that alarms use, under kumod's names."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from standins.kumod.engine import Engine
from standins.kumod.facts import free_percent

_PAGE = os.sysconf("SC_PAGE_SIZE")
#: The counters of events, which are there once one has happened.
_COUNTED = ("proxy_connection_failures", "bind_failures")
_BY_PROVIDER = {"Delivery": "delivered", "TransientFailure": "transfail", "Bounce": "fail"}


def snapshot(engine: Engine) -> dict[str, Any]:
    """As /metrics.json: one label nests, several labels make a list; no metric without a value."""
    queues = list(engine.scheduler.ready.values())
    in_ready = {message.id for queue in queues for message in list(queue.messages)}
    by_queue = Counter(
        message.queue_name() for message in engine.scheduler.waiting() if message.id not in in_ready
    )
    by_domain: Counter[str] = Counter()
    for name, count in by_queue.items():
        by_domain[name.rpartition("@")[2].partition("!")[0]] += count
    # Each ready queue by its protocol and name, and beside them the sum of each protocol.
    by_service: Counter[str] = Counter()
    for queue in queues:
        path, _, protocol = queue.name.rpartition("@")
        by_service[f"{protocol}:{path}"] += len(queue.messages)
        by_service[protocol] += len(queue.messages)
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    labelled = {
        "total_messages_received": (
            "service",
            {"http_listener": engine.counters["record:Reception"]},
        ),
        "scheduled_by_domain": ("domain", by_domain),
        "scheduled_count": ("queue", by_queue),
        "ready_count": ("service", by_service),
        **_disks(engine),
    }
    found: dict[str, Any] = {
        "scheduled_count_total": by_queue.total(),
        "memory_usage": resident * _PAGE,
        "memory_limit": os.sysconf("SC_PHYS_PAGES") * _PAGE,
        **{name: engine.counters[name] for name in _COUNTED if engine.counters[name]},
        **{name: {label: values} for name, (label, values) in labelled.items() if values},
        **_by_provider(engine),
    }
    return {name: {"value": value} for name, value in found.items()}


def _disks(engine: Engine) -> dict[str, Any]:
    configuration = engine.configuration
    folders = {
        f"{name} spool": engine.facts.paths.real(params["path"])
        for name, params in configuration.spools.items()
    }
    for files in configuration.log_files:
        folders[f"log dir {files.params['log_dir']}"] = files.folder
    free = {name: free_percent(folder) for name, folder in folders.items()}
    return {
        "disk_free_percent": ("name", {name: space for name, (space, _) in free.items()}),
        "disk_free_inodes_percent": ("name", {name: inodes for name, (_, inodes) in free.items()}),
    }


def _by_provider(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (record, provider, source, pool), count in list(engine.recorder.totals.items()):
        if record in _BY_PROVIDER:
            name = f"total_messages_{_BY_PROVIDER[record]}_by_provider_and_source"
            row = {"provider": provider, "source": source, "pool": pool, "@": count}
            found.setdefault(name, []).append(row)
    return found
