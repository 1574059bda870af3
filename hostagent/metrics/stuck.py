"""Restarts a kumod whose RocksDB spool stopped taking writes, once there is room again.

A full disk makes RocksDB refuse writes until kumod reopens the spool: liveness stays 503 with
this reason even when the disk has room (recorded on the real one).
"""

import sys
from collections.abc import Iterable

from hostagent.host import Host
from hostagent.metrics import kumod
from hostagent.metrics.configuration import Config
from hostagent.metrics.model import Metric
from hostagent.metrics.run_state import State
from hostagent.push import lock
from hostagent.system.units import Units
from hostagent.web import Deadline

REASON = "the spool is not accepting writes"
_RUNS = 2
_LONGEST = 5
"""After a restart that did not help, the next waits twice as many runs, up to this often."""


def restart_stuck(config: Config, host: Host, gauges: Iterable[Metric], state: State) -> None:
    """Check once; several runs with room but without writes restart kumod. It is counted."""
    state.add("spool_restarts", 0)
    known = list(gauges)
    up = next((one.value for one in known if one.name == "kumod_up"), 0)
    accepting = next((one.value for one in known if one.name == "kumod_accepting"), 0)
    if accepting:
        state.stuck = state.stuck_restarts = 0
    if not up or accepting or lock.held(host):
        return
    if kumod.refusal(config, Deadline(10.0)) != REASON or not _room(config, known):
        state.stuck = 0
        return
    state.stuck += 1
    if state.stuck >= _RUNS << min(state.stuck_restarts, _LONGEST):
        print("ping8: kumod is restarted: its spool has room but takes no writes", file=sys.stderr)
        Units(host).restart_soon("kumomta.service")
        state.stuck = 0
        state.stuck_restarts += 1
        state.add("spool_restarts", 1)


def _room(config: Config, gauges: list[Metric]) -> bool:
    """Whether every volume has more free space than kumod needs."""
    return all(
        one.value > config.volumes[one.dimensions["volume"]].limit_percent
        for one in gauges
        if one.name in ("disk_free_percent", "inodes_free_percent")
    )
