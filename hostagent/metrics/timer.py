"""`ping8-agent metrics`: run by a timer, measures the host once and reports to CloudWatch.

Nothing waits for it and nothing piles up: a run ends if another is active, and what
could not be sent is added to the next run's metrics.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.metrics import configuration, events, run_state
from hostagent.metrics.cloudwatch import SendError, absolute, credentials, form, send
from hostagent.metrics.collect import Collected, collect
from hostagent.metrics.configuration import Config
from hostagent.metrics.disks import hours_until_full, remember, use
from hostagent.metrics.guard import guard
from hostagent.metrics.journal import lost_records
from hostagent.metrics.model import Metric
from hostagent.metrics.run_state import Flow, State
from hostagent.metrics.stuck import restart_stuck
from hostagent.metrics.system import units_down
from hostagent.release.store import Store
from hostagent.reputation import kept, reading
from hostagent.system.units import Units

_DRIFT_EVERY = 900.0

Sender = Callable[[Config, bytes], int]


def _to_cloudwatch(config: Config, body: bytes) -> int:
    return send(config.region, body, credentials())


@dataclass(frozen=True)
class Places:
    """Paths, and the connection to CloudWatch."""

    config: Path = configuration.PATH
    state: Path = run_state.PATH
    sender: Sender = _to_cloudwatch


def main(arguments: Sequence[str], host: Host | None = None, places: Places | None = None) -> int:
    """One run; prints what was sent as one line of JSON, and what failed on standard error."""
    host, places = host or Host(), places or Places()
    if arguments:
        print(f"ping8: {arguments[0]!r} is not known here", file=sys.stderr)
        return 1
    places.state.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(places.state.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _run(configuration.read(places.config), host, places)
    except BlockingIOError:
        print("ping8: another run is active", file=sys.stderr)
        return 0
    except AgentError as error:
        print(f"ping8: {error.what}; {error.fix}", file=sys.stderr)
        return 1
    finally:
        os.close(descriptor)


def _run(config: Config, host: Host, places: Places) -> int:
    state = run_state.read(places.state)
    found = look(config, host, state, time.time())
    for problem in found.problems:
        print(f"ping8: {problem}", file=sys.stderr)
    try:
        sent, size = _send(config, found, state, places.sender)
    except SendError as error:
        print(f"ping8: not sent: {error}", file=sys.stderr)
        return 1
    finally:
        run_state.write(state, places.state)
    print(json.dumps({"sent": sent, "bytes": size, "missing": len(found.problems)}))
    return 0


def look(config: Config, host: Host, state: State, now: float) -> Collected:
    """Everything as it is now; updates the state."""
    found = collect(config, host, state.oldest)
    state.oldest = found.oldest
    last = state.at
    state.advance(found.counters, now)
    found.guard("reputation", lambda: _refusals(config, state, now))
    found.guard("lost records", lambda: _lost_records(config, host, state, last))
    found.guard("listener", lambda: guard(config, host, found.gauges, state))
    found.guard("spool", lambda: _unstick(config, host, found, state))
    found.guard("growth", lambda: _forecasts(config, state, now))
    if host.layout.current.is_symlink():
        found.guard("release", lambda: _release(host, state))
        found.guard("drift", lambda: [_drift(host, state, now)])
    found.gauges.append(Metric("metrics_missing", found.failed, "Count"))
    return found


def _unstick(config: Config, host: Host, found: Collected, state: State) -> list[Metric]:
    if config.role == "mta":
        restart_stuck(config, host, found.gauges, state)
    return []


def _refusals(config: Config, state: State, now: float) -> list[Metric]:
    """Brings what is kept of refusals up to now, and counts those for good, as `bounced` does."""
    if not config.reputation:
        return []
    with kept.changed(Path(config.reputation)) as known:
        news = reading.look(Path(config.logs), known, config.refusals, now)
    for refusal in news:
        if refusal.for_good:
            by = (
                ("provider", config.provider(refusal.provider)),
                ("source", config.source(refusal.source)),
            )
            state.add("reputation_bounced", 1, by)
    return list(events.refused(config))


def _lost_records(config: Config, host: Host, state: State, last: float) -> list[Metric]:
    if config.role == "mta":
        state.add("records_lost", lost_records(host, last, state.at) if last else 0)
    return []


def to_send(config: Config, found: Collected, state: State) -> list[Metric]:
    """The metrics of the table, in its units.

    A provider and source without mail in this interval cost nothing; everything else is sent, even
    nought.
    """
    known = {metric.name: metric for metric in config.metrics}
    flows: dict[Flow, float] = {
        (metric.name, ()): 0.0
        for metric in config.metrics
        if metric.flow and not metric.by and found.counters
    }
    flows |= {flow: value for flow, value in state.unsent.items() if value or not flow[1]}
    metrics = [*found.gauges, *run_state.metrics(flows)]
    chosen = [
        Metric(one.name, one.value, known[one.name].unit, one.dimensions)
        for one in metrics
        if one.name in known and tuple(one.dimensions) == known[one.name].by
    ]
    return absolute(chosen, frozenset(name for name, metric in known.items() if metric.absolute))


def _send(config: Config, found: Collected, state: State, sender: Sender) -> tuple[int, int]:
    metrics = to_send(config, found, state) if config.send else []
    size = 0
    if metrics:
        common = {"Environment": config.environment, "Host": config.host}
        size = sender(config, form(config.namespace, metrics, common, int(state.at)))
    state.unsent.clear()
    return len(metrics), size


def _forecasts(config: Config, state: State, now: float) -> list[Metric]:
    metrics = []
    for name, volume in config.volumes.items():
        found = use(volume.path)
        looks = remember(state.growth.get(name, []), (now, found.used, found.inodes_used))
        state.growth[name] = looks
        hours = hours_until_full(looks, found, volume)
        metrics.append(Metric("hours_until_full", hours, "None", {"volume": name}))
    return metrics


def _release(host: Host, state: State) -> list[Metric]:
    """The units of the live release, and its id as a number."""
    store = Store(host.layout)
    manifest = store.manifest(store.current_id())
    units = Units(host)
    services = [unit for unit in manifest.units if unit.endswith(".service")]
    helpers = [
        unit[: -len("timer")] + "service" for unit in manifest.units if unit.endswith(".timer")
    ]
    before, state.restarts = state.restarts, units.restarts(services)
    return [
        units_down(units.states(manifest.units), state.restarts, before, units.states(helpers)),
        Metric("release", int(manifest.id[:8], 16), "None"),
    ]


def _drift(host: Host, state: State, now: float) -> Metric:
    """Checked now and then, because it reads every file of the release, and after each push."""
    live = Store(host.layout).current_id()
    if (
        # A difference found during a push is gone afterwards.
        state.drift != 0 or live != state.drift_of or not 0 <= now - state.drift_at < _DRIFT_EVERY
    ):
        from hostagent.push.drift import drift  # noqa: PLC0415 - most runs do without

        state.drift = float(len(drift(host)["differences"]))
        state.drift_at, state.drift_of = now, live
    return Metric("drift", state.drift, "Count")
