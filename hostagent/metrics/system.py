"""Memory, clock and units."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hostagent.host import Host
from hostagent.metrics.model import Metric

MEMINFO = Path("/proc/meminfo")
REBOOT = Path("/run/reboot-required")
_QUICK = 5.0
_OFFSET, _LEAP = 4, 13
"""Fields of `chronyc -c tracking`."""

_UP = frozenset({"active", "reloading"})
"""A unit between two restarts is `activating`, which is down."""


def memory(path: Path = MEMINFO) -> Metric:
    """Of the machine; caches do not count as used."""
    sizes = {}
    for line in path.read_text("ascii").splitlines():
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0])
    used = 100.0 * (1 - sizes["MemAvailable"] / sizes["MemTotal"])
    return Metric("memory_used_percent", used, "Percent")


def reboot_pending(path: Path = REBOOT) -> Metric:
    """Whether an update left Ubuntu's marker that it needs a reboot."""
    return Metric("reboot_pending", int(path.exists()), "None")


def clock(host: Host) -> Iterable[Metric]:
    """Offset from the true time; None if chrony does not know it."""
    result = host.commands.run(["chronyc", "-n", "-c", "tracking"], limit=_QUICK)
    fields = result.output.strip().split(",")
    if not result.good or len(fields) <= _LEAP:
        raise ValueError(f"chronyc says {result.tail(1) or 'nothing'}")
    if fields[_LEAP] == "Not synchronised":
        raise ValueError("chrony has no time source yet")
    return [Metric("clock_offset_seconds", float(fields[_OFFSET]), "Seconds")]


def units_down(
    states: Mapping[str, str],
    restarts: Mapping[str, int] | None = None,
    before: Mapping[str, int] | None = None,
    helpers: Mapping[str, str] | None = None,
) -> Metric:
    """How many of the release's units do not run, or were restarted by systemd since `before`.

    A unit in a crash loop may be active whenever it is checked. `helpers` are the services
    that timers start; they are down if they ended with an error.
    """
    known, now = before or {}, restarts or {}
    down = {unit for unit, state in states.items() if state not in _UP}
    down |= {unit for unit, count in now.items() if count > known.get(unit, count)}
    down |= {unit for unit, state in (helpers or {}).items() if state == "failed"}
    return Metric("units_down", len(down), "Count")
