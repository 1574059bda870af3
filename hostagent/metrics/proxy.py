"""KumoProxy's greeting and its own metrics, as our metrics."""

from collections.abc import Iterator, Mapping
from typing import Any

from hostagent.metrics.configuration import Config
from hostagent.metrics.kumod import total
from hostagent.metrics.model import Counter, Metric
from hostagent.push.health import socks5
from hostagent.web import Deadline, WebError, get_json

_FLOWS = {
    "proxy_connections_accepted_total": "proxy_accepted",
    "proxy_connections_failed_total": "proxy_failed",
}


def up(config: Config) -> Metric:
    """Whether the proxy greets; its HTTP listener can survive the one for SOCKS5."""
    return Metric("proxy_up", float(socks5(config.listener) is None), "None")


def metrics(config: Config, deadline: Deadline) -> dict[str, Any]:
    """All of the proxy's metrics, in kumod's form."""
    answer = get_json(f"{config.proxy}/metrics.json", deadline)
    if not isinstance(answer, dict):
        raise WebError("the proxy's metrics are not a table")
    return answer


def connections(metrics: Mapping[str, Any]) -> Metric:
    """Open at this moment."""
    return Metric("proxy_connections", total(metrics, "proxy_active_connections"), "Count")


def counters(metrics: Mapping[str, Any]) -> Iterator[Counter]:
    """What the proxy counts."""
    for name, metric in _FLOWS.items():
        yield Counter(name, total(metrics, name), ((metric, ()),))
