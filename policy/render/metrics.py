"""The timer that reports a host's metrics to CloudWatch, and the shipping of finished log segments.

The agent reads `/etc/ping8/metrics.json`: which metrics there are and where it finds them. It is
part of every release, even without alarms, because `ping8 status` reads it too.
"""

import json
from typing import Any

from policy.contract import (
    DEAD_LETTERS,
    INBOX,
    KUMOD_API,
    KUMOD_REFUSES_BELOW,
    LIFE,
    LOGS,
    METRICS,
    OUTBOX,
    RECONCILED,
    REPUTATION,
    SPOOL,
)
from policy.metrics import load
from policy.metrics.plan import VOLUMES, metrics_of
from policy.release import ReleaseFile, Role
from policy.render.templates import template_file
from policy.settings import Settings
from policy.settings.base import seconds

TIMER = "ping8-metrics.timer"
SHIP_TIMER = "ping8-logs-ship.timer"
SHIPPED = "/var/lib/ping8/shipped.json"

_SYSTEM = "/etc/systemd/system"
_PATHS = {"spool": SPOOL, "logs": LOGS, "root": "/"}
_GIB = 2**30


def metrics_files(
    settings: Settings, role: Role, host: str, listener: str = ""
) -> tuple[ReleaseFile, ...]:
    """Configuration, service and timer."""
    chosen = configuration(settings, role, host, listener)
    content = json.dumps(chosen, indent=2, sort_keys=True)
    return (
        ReleaseFile(path=METRICS, content=f"{content}\n".encode()),
        template_file("common", f"{_SYSTEM}/ping8-metrics.service"),
        template_file(
            "common",
            f"{_SYSTEM}/{TIMER}",
            effects=(f"restart {TIMER}",),
            values={"interval": seconds(settings.alarms.interval)},
        ),
    )


def shipping_files(settings: Settings, host: str) -> tuple[ReleaseFile, ...]:
    """The timer that copies finished segments to S3, if the settings ask for it."""
    if not settings.logs.ship:
        return ()
    prefix = f"{settings.environment}/{host}"
    return (
        template_file(
            "mta",
            f"{_SYSTEM}/ping8-logs-ship.service",
            values={
                "bucket": settings.logs.bucket or "",
                "region": settings.region,
                "prefix": prefix,
                "shipped": SHIPPED,
            },
        ),
        template_file("mta", f"{_SYSTEM}/{SHIP_TIMER}", effects=(f"restart {SHIP_TIMER}",)),
    )


def configuration(settings: Settings, role: Role, host: str, listener: str = "") -> dict[str, Any]:
    """What `hostagent.metrics.configuration` reads; it contains no secret.

    `listener` is where the proxy or kumod's port 25 must greet; if it does not, it is restarted.
    """
    table = load()
    common: dict[str, Any] = {
        "environment": settings.environment,
        "host": host,
        "role": role,
        "region": settings.region,
        "namespace": table.namespace,
        "send": settings.alarms.enabled,
        "listener": listener,
        "volumes": {name: _volume(name, settings) for name in VOLUMES[role]},
        "metrics": [
            {
                "name": metric.name,
                "unit": metric.unit,
                "flow": metric.kind == "flow",
                "by": list(metric.by),
                "absolute": metric.absolute,
            }
            for metric in metrics_of(role, settings)
        ],
    }
    if role == "proxy":
        return common | {"proxy": "http://127.0.0.1:8001"}
    return common | {
        "providers": {theirs: ours for ours, names in table.providers.items() for theirs in names},
        "sources": [source.name for source in settings.sources],
        "kumod": KUMOD_API,
        "tls": "127.0.0.1:443",
        "tls_name": settings.injection_host,
        "transport": settings.webhook.transport,
        "outbox": OUTBOX,
        "life": LIFE,
        "reconciled": RECONCILED,
        "dead_letters": DEAD_LETTERS,
        "inbox": INBOX,
        "shipped": SHIPPED if settings.logs.ship else "",
        "logs": LOGS,
        "reputation": REPUTATION,
        "refusals": settings.alarms.reputation_refusals,
        "automation": settings.shaping.automation,
    }


def _volume(name: str, settings: Settings) -> dict[str, Any]:
    return {
        "path": _PATHS[name],
        "limit_percent": 0 if name == "root" else KUMOD_REFUSES_BELOW,
        "kept_bytes": settings.logs.keep_gib * _GIB if name == "logs" else 0,
    }
