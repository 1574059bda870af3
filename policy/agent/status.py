"""The verb `status`: what is live, what is kept, what runs."""

from typing import Any

from . import owed
from .host import Host
from .store import Store
from .units import Units


def status(host: Host) -> dict[str, Any]:
    """For operators and the doctor; reads only."""
    store = Store(host.layout)
    if not host.layout.current.is_symlink():
        return {"release": None, "kept": [], "units": {}, "owed": None}
    manifest = store.manifest(store.current_id())
    note = owed.read(host.layout)
    return {
        "host": manifest.host,
        "role": manifest.role,
        "release": manifest.id,
        "previous": store.previous_id(),
        "history": store.history(),
        "kept": store.kept(),
        "units": Units(host).states(manifest.units),
        "owed": None if note is None else {"origin": note.origin, "target": note.target},
        "kumomta_version": manifest.kumomta_version,
    }
