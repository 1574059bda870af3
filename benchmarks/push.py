"""Seconds of a push to a host in a container, beside those of a bare `ssh host true`.

sudo python -m benchmarks.push
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sandbox import image
from sandbox.containers import Containers
from sandbox.layout import Layout
from sandbox.network import Cloud
from sandbox.volumes import Volumes
from tests.hostagent.host.ground import NAME, VOLUME, Ground, boot, release

_ROUNDS = 9


def main() -> None:
    """Prints the median of each kind."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        cloud = Cloud(prefix=f"b{os.getpid()}", machine=False)
        containers = Containers(
            cloud=cloud, state=folder / "hosts", volumes=Volumes(folder=folder / "volumes")
        )
        try:
            cloud.up()
            ground = boot(containers, image.ensure_image(Layout.of_checkout().cache), folder)
            containers.wait_booted(NAME)
            containers.attach(NAME, VOLUME)
            measure(ground)
        finally:
            containers.remove_all()
            for volume in containers.volumes.ids():
                containers.volumes.delete(volume)
            cloud.down()


def measure(ground: Ground) -> None:
    """Each kind of push, one after the other, against the same host."""
    numbers = iter(range(1_000_000))
    print(f"first push         {seconds(lambda: ground.push(release())):6.2f} s")
    bare = median(lambda: ground.ssh("true"))
    print(f"bare ssh           {bare:6.2f} s")
    kinds: dict[str, Callable[[], object]] = {
        "no change": lambda: ground.push(release()),
        "data change": lambda: ground.push(release(f"-- {next(numbers)}")),
        "environment change": lambda: ground.push(release(environment=f"A={next(numbers)}")),
    }
    for name, push in kinds.items():
        push()
        taken = median(push)
        print(f"{name:18} {taken:6.2f} s, {taken - bare:+.2f} s over a bare ssh")


def median(act: Callable[[], object]) -> float:
    """Of a few rounds."""
    return statistics.median(seconds(act) for _ in range(_ROUNDS))


def seconds(act: Callable[[], object]) -> float:
    """How long it takes once."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
