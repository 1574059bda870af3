"""`make soak`: random faults while mail flows, and an account of every message and event.

The rendered policy, kumod, KumoProxy and the host agent's service run on loopback, in namespaces of
their own (needs root), with a server of recipients and an endpoint of PING8 that misbehave. Without
a KumoMTA tree (`--root`) the stand-in plays kumod and the proxy.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks import real_kumod
from benchmarks.soak.account import account
from benchmarks.soak.faults import LOGS, SPOOL, Soak, write_back
from benchmarks.soak.site import Site
from policy.settings import Settings
from standins.kumod.tree import build_tree
from tests.file_systems import FileSystem

_ENTRY = "import sys; from benchmarks.soak.__main__ import inside; inside(sys.argv[2:])"


def chosen(transport: str) -> Settings:
    """Retries after seconds instead of minutes."""
    return real_kumod.plain(
        webhook={
            "url": "https://app.example.com/events",
            "transport": transport,
            "retryInterval": "1s",
            "maxRetryInterval": "2s",
            "timeout": "5s",
        },
        brands=[
            {
                "name": "default",
                "pool": "shared-default",
                "retryInterval": "1s",
                "maxRetryInterval": "2s",
            }
        ],
    )


def inside(arguments: Sequence[str]) -> None:
    """In the namespaces."""
    seconds, seed, rate, transport = arguments
    images = Path(tempfile.mkdtemp())
    volumes = [FileSystem(images / place.name, place) for place in (SPOOL, LOGS)]
    for volume in volumes:
        volume.make(512)
    threading.Thread(target=write_back, args=(volumes,), daemon=True).start()
    subprocess.run(["ip", "addr", "add", f"{real_kumod.SINK}/32", "dev", "lo"], check=True)
    site = Site(chosen(transport))
    soak = Soak(site, volumes, int(seed))
    try:
        soak.play(float(seconds), float(rate))
        soak.settle()
        result = account(soak)
    finally:
        site.stop()
        shutil.rmtree(images)
    for name, count in result.lines.items():
        print(f"{count:8d}  {name}")
    print("\n".join(result.wrong[:50]))
    if result.wrong:
        print(site.log.read_text()[-3000:])
    print("soak:", "FAILED" if result.wrong else "ok", flush=True)


def main() -> int:
    """Plays one soak, and says what became of everything."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--rate", type=float, default=20, help="messages a second")
    parser.add_argument("--transport", choices=("log-hook", "outbox"), default="log-hook")
    parser.add_argument("--root", type=Path, help="a KumoMTA tree; else the stand-in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.root
        if root is None:
            root = Path(folder) / "kumomta"
            build_tree(root)
        print(f"soak: seed {options.seed}, {options.minutes:g} minutes, {options.transport}")
        words = [options.minutes * 60, options.seed, options.rate, options.transport]
        text = real_kumod.isolated(root, _ENTRY, *map(str, words))
    print(text, end="")
    return 0 if text.rstrip().endswith("soak: ok") else 1


if __name__ == "__main__":
    sys.exit(main())
