"""Restarts a server that runs on without its listener.

Up to release 2026.09.29 any error of accept() ends KumoProxy's SOCKS5 listener, and kumod's on
port 25, permanently, while the process continues, so systemd notices nothing.
"""

import sys
from collections.abc import Iterable

from hostagent.host import Host
from hostagent.metrics.configuration import Config
from hostagent.metrics.model import Metric
from hostagent.metrics.run_state import State
from hostagent.push import lock
from hostagent.push.health import banner, socks5
from hostagent.system.units import Units

_RUNS = 3
_LONGEST = 5
"""After a restart that did not help, the next waits twice as many runs, up to this often."""


def guard(config: Config, host: Host, gauges: Iterable[Metric], state: State) -> list[Metric]:
    """Check once; several silent runs in a row restart the unit. The restart is counted."""
    state.add("listener_restarts", 0)
    unit, why = _look(config, host, gauges)
    state.silent = state.silent + 1 if why else 0
    if unit and not why:
        state.revived = 0
    if why and state.silent >= _RUNS << min(state.revived, _LONGEST):
        print(f"ping8: {unit} is restarted: {why}", file=sys.stderr)
        Units(host).restart_soon(unit)
        state.silent = 0
        state.revived += 1
        state.add("listener_restarts", 1)
    return []


def _look(config: Config, host: Host, gauges: Iterable[Metric]) -> tuple[str, str | None]:
    """The unit whose listener was checked, if any, and why it does not greet.

    systemd starts a unit that is not active, a push restarts units itself, and a kumod that
    accepts no mail yet may still be opening its spools.
    """
    unit = {"proxy": "kumoproxy.service", "mta": "kumomta.service"}[config.role]
    known = {metric.name: metric.value for metric in gauges}
    if (
        not config.listener
        or Units(host).states([unit])[unit] != "active"
        or lock.held(host)
        or not known.get("kumod_accepting", 1.0)
    ):
        return "", None
    return unit, socks5(config.listener) if config.role == "proxy" else banner(config.listener)
