"""What goes wrong in a soak, at random moments."""

import contextlib
import random
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import real_kumod
from benchmarks.soak.moods import Endpoint, Recipients
from benchmarks.soak.site import Site, Traffic, queued
from hostagent import durable
from tests.file_systems import FileSystem

SPOOL, LOGS = Path("/var/spool"), Path("/var/log")


class Soak:
    """One run."""

    def __init__(self, site: Site, volumes: list[FileSystem], seed: int) -> None:
        self.site = site
        self.random = random.Random(seed)
        self.played: list[tuple[float, str]] = []
        self.kills: list[float] = []
        self.cuts: list[float] = []
        self.power_cuts: list[float] = []
        self.failures: list[tuple[float, float]] = []
        self.volumes = volumes
        self.traffic = Traffic()
        assert isinstance(site.sink, Recipients)
        assert isinstance(site.receiver, Endpoint)
        self.sink, self.receiver = site.sink, site.receiver

    def faults(self) -> dict[str, Callable[[], None]]:
        """By name; each ends with everything as it was."""
        moods: dict[str, tuple[Endpoint | Recipients, str]] = {
            **{f"PING8 {mood}": (self.receiver, mood) for mood in Endpoint.MOODS},
            **{f"recipients {mood}": (self.sink, mood) for mood in Recipients.MOODS},
        }
        return {
            "kumod killed": self._kill_kumod,
            "kumod stopped": self._stop_kumod,
            "proxy killed": lambda: self._restart("proxy-server", kill=True),
            "proxy stopped": lambda: self._restart("proxy-server", kill=False),
            "outbox killed": lambda: self._restart("outbox", kill=True),
            "outbox stopped": lambda: self._restart("outbox", kill=False),
            "power cut": self._cut_power,
            "spool fails": lambda: self._fail(self.volumes[0]),
            "logs fail": lambda: self._fail(self.volumes[1]),
            "spool fills up": lambda: self._fill(SPOOL),
            "logs fill up": lambda: self._fill(LOGS),
            **{name: partial(self._mood, *pair) for name, pair in moods.items()},
        }

    def play(self, seconds: float, rate: float) -> None:
        """Faults at random moments, each at least once where time allows."""
        lanes = [
            threading.Thread(target=self.traffic.send, args=(lane, rate / 2), daemon=True)
            for lane in range(2)
        ]
        for lane in lanes:
            lane.start()
        faults = self.faults()
        end = time.monotonic() + seconds
        order: list[str] = []
        while time.monotonic() < end:
            order = order or self.random.sample(list(faults), len(faults))
            name = order.pop()
            time.sleep(self.random.uniform(0.5, 2.0))
            self.played.append((time.time(), name))
            faults[name]()
        self.traffic.stopping.set()
        for lane in lanes:
            lane.join()

    def settle(self) -> None:
        """Until no queue holds anything, and nothing has moved for a while."""
        last: Any = None
        since = began = time.monotonic()
        while time.monotonic() - since < 20 and time.monotonic() - began < 600:
            self._guard()
            now = (self.receiver.count, self.sink.count)
            if now != last or queued():
                last, since = now, time.monotonic()
            time.sleep(0.5)
        self.site.end("kumod", kill=False, within=60)
        time.sleep(3)

    def _cut_power(self) -> None:
        now = time.time()
        self.kills.append(now)
        self.power_cuts.append(now)
        self._all_end()
        for volume in self.volumes:
            volume.lose_power()
        self._boot()

    def _fail(self, volume: FileSystem) -> None:
        """Every read from the disk and every write fails, until somebody has put it right."""
        began = time.time()
        volume.fail()
        self._pause()
        self.kills.append(time.time())
        self.failures.append((began, time.time()))
        self._all_end()
        self._boot()

    def _all_end(self) -> None:
        for name in ("kumod", "proxy-server", "outbox"):
            self.site.end(name, kill=True)

    def _boot(self) -> None:
        for volume in self.volumes:
            volume.boot()
        for name in ("outbox", "proxy-server"):
            self.site.start(name)
        self._start_kumod()

    def _pause(self, most: float = 3.0) -> None:
        time.sleep(self.random.uniform(0.2, most))

    def _kill_kumod(self) -> None:
        self.kills.append(time.time())
        self.site.end("kumod", kill=True)
        self._pause(1.0)
        self._start_kumod()

    def _stop_kumod(self) -> None:
        if not self.site.end("kumod", kill=False, within=60):
            self.kills.append(time.time())
        self._start_kumod()

    def _start_kumod(self) -> None:
        self.site.start("kumod")
        real_kumod._until(lambda: real_kumod._answers("127.0.0.1", 8000), self.site.log)

    def _restart(self, which: str, *, kill: bool) -> None:
        self.cuts.append(time.time())
        self.site.end(which, kill=kill)
        self._pause()
        self.site.start(which)

    def _mood(self, server: Endpoint | Recipients, mood: str) -> None:
        server.mood = mood
        self._pause()
        server.mood = ""

    def _fill(self, volume: Path) -> None:
        """Down to 5 % free, where kumod takes no more mail."""
        fill(volume, 5)
        self._pause()
        (volume / "filler").unlink()
        self._guard()

    def _guard(self) -> None:
        """As the host agent does (hostagent/metrics/stuck.py): there is room, and kumod refuses."""
        for _ in range(20):
            if real_kumod._answers("127.0.0.1", 8000):
                return
            time.sleep(0.5)
        self.played.append((time.time(), "kumod restarted by its guard"))
        self._stop_kumod()


def write_back(volumes: list[FileSystem]) -> None:
    """What the kernel does each second with `vm.dirty_expire_centisecs` as on a host."""
    while True:
        for volume in volumes:
            with contextlib.suppress(OSError):
                durable.sync_file_system(volume.root)
        time.sleep(1)


def fill(volume: Path, percent_free: int) -> None:
    """A file that leaves so much of a volume."""
    status = subprocess.run(
        ["df", "--output=avail,size", "-B1", volume], capture_output=True, text=True, check=True
    )
    free, size = (int(word) for word in status.stdout.split()[-2:])
    length = free - size * percent_free // 100
    subprocess.run(["fallocate", "-l", str(length), volume / "filler"], check=True)
