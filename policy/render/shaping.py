"""Traffic shaping as data: overrides of KumoMTA's community rules, and the warm-up schedule."""

from typing import Any

import tomli_w

from policy.addresses import Addresses
from policy.contract import AUTOMATION_QUEUE, EGRESS_PATH, EVENT_QUEUE, POLICY, TSA, TSA_PORT
from policy.settings import Settings

_DEFAULT_PATH = EGRESS_PATH | {
    # Below the TimeoutStopSec of 300 s: then comes SIGKILL, and the last events are lost.
    "system_shutdown_timeout": "240s",
    # A proxy host that is gone does not refuse, and only then its sources pause.
    "connect_timeout": "30s",
    # A message that finds it full waits up to a minute: at a large provider's 100 messages/s,
    # a lower limit would leave the connections idle.
    "max_ready": 8192,
    # A stranger's DNS must not make us connect into our own network. KumoMTA itself refuses
    # loopback.
    "skip_hosts": [
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "fe80::/10",
    ],
}
_SHARE = "/opt/kumomta/share"
LOOPBACK = "127.0.0.1"
_AUTOMATION_PATH = {
    "mx_rollup": False,
    "connection_limit": "local:5",
    "max_connection_rate": "100/s",
    "max_message_rate": "10000/s",
    "max_deliveries_per_connection": 8192,
    "max_ready": 8192,
    "system_shutdown_timeout": "30s",
}
"""For records to a tsa-daemon: the limits of mail would delay them."""
_WITHOUT_COMMUNITY = {
    "connection_limit": 10,
    "max_connection_rate": "100/min",
    "max_deliveries_per_connection": 100,
    "max_message_rate": "100/s",
}


def shaping_toml(settings: Settings, host: str, addresses: Addresses) -> str:
    """The shaping file. Tables of the settings override ours, key by key.

    The webhook queue has its own limits: the default ones are for mailbox providers and would
    delay events.
    """
    default = _DEFAULT_PATH if settings.shaping.community else _DEFAULT_PATH | _WITHOUT_COMMUNITY
    if not settings.shaping.mta_sts:
        default = default | {"enable_mta_sts": False}
    tables: dict[str, dict[str, Any]] = {
        "default": dict(default),
        EVENT_QUEUE: _webhook_path(settings),
    }
    for url in automation(settings, host, addresses)["publish"]:
        tables[f"{url}{AUTOMATION_QUEUE}"] = _AUTOMATION_PATH
    for domain, table in settings.shaping.overrides.items():
        tables[domain] = tables.get(domain, {}) | table
    return tomli_w.dumps(dict(sorted(tables.items())))


def automation(settings: Settings, host: str, addresses: Addresses) -> dict[str, Any]:
    """Where tsa-daemon listens and for whom, and which daemons kumod reports to and obeys.

    Each kumod reports to the daemons of all MTA hosts, so that all know the same; it obeys its own.
    """
    if not settings.shaping.automation:
        return {"listen": [], "trusted_hosts": [], "publish": [], "subscribe": []}
    others = [addresses.mta[name].private for name in settings.mta.host_names if name != host]
    listens = (LOOPBACK, addresses.mta[host].private) if others else (LOOPBACK,)
    return {
        "listen": [f"{address}:{TSA_PORT}" for address in listens],
        "trusted_hosts": [LOOPBACK, *others],
        "publish": [TSA, *(f"http://{address}:{TSA_PORT}" for address in others)],
        "subscribe": [TSA],
    }


def files(settings: Settings) -> list[str]:
    """The shaping files; a later one overrides an earlier one. tsa-daemon reads the same."""
    theirs = [f"{_SHARE}/{name}/shaping.toml" for name in ("policy-extras", "community")]
    return [*(theirs if settings.shaping.community else []), f"{POLICY}/data/shaping.toml"]


def warm_up(settings: Settings) -> dict[str, Any]:
    """Daily limits by source; the policy looks up the day when kumod asks for a path."""
    return {
        "files": files(settings),
        "refresh": settings.shaping.refresh,
        "sources": {
            name: {
                "start": schedule.start.isoformat(),
                "daily": list(schedule.daily),
                "pools": [sorted(pool.sources) for pool in settings.pools if name in pool.sources],
            }
            for name, schedule in settings.shaping.warm_up.items()
        },
    }


def _webhook_path(settings: Settings) -> dict[str, Any]:
    return {
        "mx_rollup": False,
        "connection_limit": f"local:{settings.webhook.connections}",
        "max_connection_rate": "100/s",
        "max_message_rate": "10000/s",
        "max_deliveries_per_connection": 10_000,
        # When a sender is closed, so is its connection to PING8. But a sender that is idle when the
        # first event of a batch comes sends a batch that is not full only when this ends, whatever
        # its latency.
        "idle_timeout": "5m" if settings.webhook.batch_size == 1 else "1s",
        "max_ready": 8192,
    }
