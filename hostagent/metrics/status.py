"""The verb `status`: the live release, kept releases, units, and current metrics."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hostagent import draining
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.metrics import configuration, events, run_state
from hostagent.metrics.collect import collect
from hostagent.metrics.configuration import Config
from hostagent.metrics.disks import hours_until_full, use
from hostagent.metrics.model import Metric
from hostagent.metrics.run_state import State
from hostagent.metrics.system import units_down
from hostagent.push import pending
from hostagent.release.show import differences
from hostagent.release.store import Store
from hostagent.reputation import kept
from hostagent.system import kumomta
from hostagent.system.units import Units


def status(host: Host) -> dict[str, Any]:
    """For operators and the doctor; reads only."""
    store = Store(host.layout)
    if not host.layout.current.is_symlink():
        return {"release": None, "kumomta": None, "kept": [], "units": [], "pending": None}
    manifest = store.manifest(store.current_id())
    note = pending.read(host.layout)
    mark = draining.read(host.layout)
    units = Units(host)
    states, restarts = units.states(manifest.units), units.restarts(manifest.units)
    answer = {
        "host": manifest.host,
        "role": manifest.role,
        "release": manifest.id,
        "previous": store.previous_id(),
        "history": store.history(),
        "kept": store.kept(),
        "kept_at": {item: store.stored_at(item) for item in store.kept()},
        "kept_differs": {
            item: differences(manifest, store.manifest(item))
            for item in store.kept()
            if item != manifest.id
        },
        "units": [
            {"unit": unit, "active": state, "restarts": restarts.get(unit, 0)}
            for unit, state in states.items()
        ],
        "pending": None if note is None else {"origin": note.origin, "target": note.target},
        "kumomta": kumomta.present(host, manifest),
        "draining": mark and asdict(mark),
    }
    return answer | _metrics(host, [units_down(states)])


def _metrics(host: Host, metrics: list[Metric]) -> dict[str, Any]:
    """Current states; flows are those of the timer's last interval, `flow_seconds` long."""
    path = host.layout.live(str(configuration.PATH))
    try:
        config = configuration.read(path)
    except AgentError as error:
        return {"metrics": [one.as_dict() for one in metrics], "missing": [str(error)]}
    state = run_state.read(host.layout.live(str(run_state.PATH)))
    found = collect(config, host, state.oldest)
    found.guard("growth", lambda: _forecasts(config, state))
    found.guard("reputation", lambda: events.refused(config))
    if state.drift is not None:
        metrics.append(Metric("drift", state.drift, "Count"))
    metrics += [*found.gauges, *run_state.metrics(state.flows)]
    return {
        "metrics": [one.as_dict() for one in metrics],
        "missing": found.problems,
        "reputation": _refusals(config),
        "flow_seconds": state.seconds,
        "flow_age": round(time.time() - state.at, 1) if state.at else None,
    }


def _refusals(config: Config) -> list[dict[str, Any]]:
    """What is refused for reputation, acknowledged or not; not what is too little for an alarm."""
    found = kept.read(Path(config.reputation)).kept if config.reputation else []
    return [asdict(one) for one in found if one.open]


def _forecasts(config: Config, state: State) -> list[Metric]:
    return [
        Metric(
            "hours_until_full",
            hours_until_full(state.growth.get(name, []), use(volume.path), volume),
            "None",
            {"volume": name},
        )
        for name, volume in config.volumes.items()
    ]
