"""The sender domains on a real kumod: how long reading them takes, and how soon a new one is live.

    KUMOMTA_ROOT=DIR python -m benchmarks.table

Needs root. Each size is a kumod of its own. The first messages after a start read the 16 files; the
same messages again show what they cost without that. Then one more domain is written, as a push
does it, while messages of known domains go on.
"""

import json
import os
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.real_kumod import SINK, Variant, World, ip, isolated, plain, world
from policy.render.domains import sender_domain_file

SIZES = (1, 1_000, 100_000)
_FOLDER = Path("/opt/kumomta/etc/policy/data")
_ENTRY = "from benchmarks.table import inside; inside()"
_NEW = "new.example"
_NOTHING = {"url": "https://app.example.com/events", "leaveOut": ["Reception", "Delivery"]}
_BY_BRAND = [{"name": "example.com", "dkim": {"keys": "brand"}}]


def inside() -> None:
    """In the namespaces: a row for each size."""
    ip("addr", "add", f"{SINK}/32", "dev", "lo")
    variant = Variant(plain(webhook=_NOTHING, domains=_BY_BRAND))
    columns = (
        "sender domains", "reading all, CPU s", "slowest first message, ms",
        "the same again, ms", "one more is live after, s", "slowest message meanwhile, ms",
    )  # fmt: skip
    print("|", " | ".join(columns), "|")
    print("|---:|" + "---:|" * 5, flush=True)
    for size in SIZES:
        with world(variant, domains=size) as made:
            print("|", " | ".join((f"{size:,}", *measure(made))), "|", flush=True)


def measure(made: World) -> tuple[str, ...]:
    """The columns of one size."""
    names = one_of_each_file()
    sends(made, "example.com")
    cold, first = timed(made, names)
    warm, again = timed(made, names)
    live, meanwhile = seconds_until_live(made)
    times = cold - warm, first * 1000, again * 1000, live, meanwhile * 1000
    return tuple(
        f"{value:.{places}f}" for value, places in zip(times, (2, 0, 0, 1, 0), strict=True)
    )


def one_of_each_file() -> list[str]:
    """A sender domain out of each file that has any, but not the one that was read already."""
    found: dict[str, str] = defaultdict(str)
    for path in _FOLDER.glob("sender_domains/*.json"):
        found[path.name] = next(iter(json.loads(path.read_text())), "")
    return [name for name in found.values() if name]


def timed(made: World, names: list[str]) -> tuple[float, float]:
    """CPU of kumod for one message of each, and the slowest answer."""
    before, slowest = made.cpu(), 0.0
    for name in names:
        slowest = max(slowest, sends(made, name)[1])
    return made.cpu() - before, slowest


def sends(made: World, domain: str) -> tuple[bool, float]:
    """Whether a message of that domain is taken, and the seconds until the answer."""
    began = time.monotonic()
    (answer,) = made.inject(1, From=f"News <news@{domain}>")
    return answer.get("success_count") == 1, time.monotonic() - began


def seconds_until_live(made: World) -> tuple[float, float]:
    """Write one more domain; seconds until its mail is taken, and the slowest other answer."""
    path = _FOLDER / sender_domain_file(_NEW)
    content = json.loads(path.read_text())
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps({**content, _NEW: "default"}))
    staged.rename(path)
    began, slowest = time.monotonic(), 0.0
    while not sends(made, _NEW)[0]:
        slowest = max(slowest, sends(made, "example.com")[1])
    took = time.monotonic() - began
    return took, max(slowest, sends(made, "example.com")[1])


if __name__ == "__main__":
    print(isolated(Path(os.environ["KUMOMTA_ROOT"]), _ENTRY))
