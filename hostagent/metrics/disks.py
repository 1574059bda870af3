"""Free space and inodes of each volume, and when it will be full."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hostagent.metrics.model import Metric

FOREVER = 720.0
"""The number of hours that means "it does not grow"."""

WINDOW = 2 * 3600.0
STEP = 600.0
_LEAST_SPAN = 1800.0


@dataclass(frozen=True)
class Volume:
    """A monitored file system.

    `limit_percent` of it always stays free, because kumod refuses mail below. Files kept on
    purpose, up to `kept_bytes`, are not growth.
    """

    path: str
    limit_percent: float = 0.0
    kept_bytes: int = 0


@dataclass(frozen=True)
class Use:
    """One measurement of a volume, in bytes and inodes."""

    used: int
    total: int
    inodes_used: int
    inodes_total: int


def use(path: str) -> Use:
    """As seen by users other than root."""
    status = os.statvfs(path)
    # Blocks kept for root count as used.
    return Use(
        used=(status.f_blocks - status.f_bavail) * status.f_frsize,
        total=status.f_blocks * status.f_frsize,
        inodes_used=status.f_files - status.f_favail,
        inodes_total=status.f_files,
    )


def takes_no_writes(path: str, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether the kernel has made the file system read-only, or shut it down, after an error.

    It checks the file system itself, because the timer's unit sees every mount read-only.
    """
    device = Path(path).stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.read_text().splitlines():
        mount, _, file_system = line.partition(" - ")
        if mount.split()[2] == number:
            options = file_system.split()[-1].split(",")
            return not {"ro", "shutdown", "emergency_ro"}.isdisjoint(options)
    return False


def disks(volumes: Mapping[str, Volume]) -> Iterator[Metric]:
    """Space and inodes of each volume; a file system without an inode limit has all free.

    One that accepts no writes counts as full.
    """
    for name, volume in volumes.items():
        found = use(volume.path)
        if takes_no_writes(volume.path):
            found = replace(found, used=found.total)
        of = {"volume": name}
        free = 100.0 * (found.total - found.used) / found.total
        inodes = 100.0
        if found.inodes_total:
            inodes = 100.0 * (found.inodes_total - found.inodes_used) / found.inodes_total
        yield Metric("disk_free_percent", free, "Percent", of)
        yield Metric("inodes_free_percent", inodes, "Percent", of)
        yield Metric("disk_free_bytes", found.total - found.used, "Bytes", of)
        yield Metric("disk_total_bytes", found.total, "Bytes", of)


Look = tuple[float, int, int]
"""When, bytes used, inodes used."""


def remember(looks: Sequence[Look], look: Look) -> list[Look]:
    """The measurements of the last two hours, one every ten minutes, with this one."""
    if looks and 0 <= look[0] - looks[-1][0] < STEP:
        return list(looks)
    return [old for old in looks if 0 <= look[0] - old[0] <= WINDOW] + [look]


def hours_until_full(looks: Sequence[Look], now: Use, volume: Volume) -> float:
    """By a straight line through the measurements; `FOREVER` without growth or history."""
    if not looks or looks[-1][0] - looks[0][0] < _LEAST_SPAN:
        return FOREVER
    usable = 1 - volume.limit_percent / 100
    times = [look[0] for look in looks]
    hours = [FOREVER]
    if now.used >= volume.kept_bytes:
        rate = _slope(times, [look[1] for look in looks])
        hours.append(_hours(now.total * usable - now.used, rate))
    rate = _slope(times, [look[2] for look in looks])
    hours.append(_hours(now.inodes_total * usable - now.inodes_used, rate))
    return max(0.0, min(hours))


def _hours(left: float, rate: float) -> float:
    return left / rate / 3600 if rate > 0 else FOREVER


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Least squares, in units a second."""
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - middle) ** 2 for time in times)
    pairs = zip(times, values, strict=True)
    return sum((time - middle) * (value - mean) for time, value in pairs) / spread
