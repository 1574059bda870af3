"""Memory, clock and units."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hostagent.host import Host
from hostagent.metrics.model import Figure

MEMINFO = Path("/proc/meminfo")
_QUICK = 5.0
_OFFSET, _LEAP = 4, 13
"""Fields of `chronyc -c tracking`."""

_UP = frozenset({"active", "activating", "reloading"})


def memory(path: Path = MEMINFO) -> Figure:
    """Of the machine; caches are not in use."""
    sizes = {}
    for line in path.read_text("ascii").splitlines():
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0])
    used = 100.0 * (1 - sizes["MemAvailable"] / sizes["MemTotal"])
    return Figure("memory_used_percent", used, "Percent")


def clock(host: Host) -> Iterable[Figure]:
    """Offset from the true time; none where chrony does not know it."""
    result = host.commands.run(["chronyc", "-n", "-c", "tracking"], limit=_QUICK)
    fields = result.output.strip().split(",")
    if not result.good or len(fields) <= _LEAP:
        raise ValueError(f"chronyc says {result.tail(1) or 'nothing'}")
    if fields[_LEAP] == "Not synchronised":
        raise ValueError("chrony has no time source yet")
    return [Figure("clock_offset_seconds", float(fields[_OFFSET]), "Seconds")]


def units_down(states: Mapping[str, str]) -> Figure:
    """How many of the release's units do not run."""
    down = sum(1 for state in states.values() if state not in _UP)
    return Figure("units_down", down, "Count")
