"""The verb `status`: what is live, what is kept, what runs, and the figures of this moment."""

import time
from typing import Any

from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.metrics import configuration, run_state
from hostagent.metrics.configuration import Config
from hostagent.metrics.disks import hours_until_full, use
from hostagent.metrics.figures import collect
from hostagent.metrics.model import Figure
from hostagent.metrics.run_state import State
from hostagent.metrics.system import units_down
from hostagent.push import owed
from hostagent.release.store import Store
from hostagent.system import kumomta
from hostagent.system.units import Units


def status(host: Host) -> dict[str, Any]:
    """For operators and the doctor; reads only."""
    store = Store(host.layout)
    if not host.layout.current.is_symlink():
        return {"release": None, "kumomta": None, "kept": [], "units": [], "owed": None}
    manifest = store.manifest(store.current_id())
    note = owed.read(host.layout)
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
        "units": [
            {"unit": unit, "active": state, "restarts": restarts.get(unit, 0)}
            for unit, state in states.items()
        ],
        "owed": None if note is None else {"origin": note.origin, "target": note.target},
        "kumomta": kumomta.present(host, manifest),
    }
    return answer | _figures(host, [units_down(states)])


def _figures(host: Host, figures: list[Figure]) -> dict[str, Any]:
    """States of this moment; flows are those of the timer's last interval, `flow_seconds` long."""
    path = host.layout.live(str(configuration.PATH))
    try:
        config = configuration.read(path)
    except AgentError as error:
        return {"figures": [one.as_dict() for one in figures], "missing": [str(error)]}
    state = run_state.read(host.layout.live(str(run_state.PATH)))
    found = collect(config, host, state.oldest)
    found.guard("growth", lambda: _forecasts(config, state))
    if state.drift is not None:
        figures.append(Figure("drift", state.drift, "Count"))
    figures += [*found.gauges, *run_state.figures(state.flows)]
    return {
        "figures": [one.as_dict() for one in figures],
        "missing": found.problems,
        "flow_seconds": state.seconds,
        "flow_age": round(time.time() - state.at, 1) if state.at else None,
    }


def _forecasts(config: Config, state: State) -> list[Figure]:
    return [
        Figure(
            "hours_until_full",
            hours_until_full(state.growth.get(name, []), use(volume.path), volume),
            "None",
            {"volume": name},
        )
        for name, volume in config.volumes.items()
    ]
