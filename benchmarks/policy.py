"""What the policy costs: CPU of kumod a message, counted here or measured on a real kumod.

Without a real kumod the calls of a message's reception are counted on the stand-in and multiplied
by `costs.json`; the result is the first table of docs/performance.md. With KUMOMTA_ROOT naming a
tree of KumoMTA (`sbin`, `share`) the second table and its plot are measured, as root.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import real_kumod
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import Mta

TARGET = Path(__file__).parents[1] / "docs" / "performance.md"
COSTS: dict[str, float] = json.loads(Path(__file__).with_name("costs.json").read_text())["us"]
MEASURED, DOMAINS = "## Measured on a real kumod", "## Many sender domains"

# Fifteen headers, as mail of PING8 has.
_HEADERS = {
    "Reply-To": "help@example.com",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Transfer-Encoding": "8bit",
    "List-Unsubscribe": "<https://example.com/u>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}
_VARIANTS: dict[str, dict[str, Any]] = {
    "without signing": {"domains": [], "reception": {"unknownSenders": "accept"}},
    "signed with RSA-2048": {},
}


def calls(root: Path, **chosen: Any) -> Counter[str]:
    """The calls with a known cost that one message's reception makes on a warm host."""
    mta = Mta(root=root, settings=settings(**chosen)).start()
    for _ in range(2):
        before = Counter(mta.kumod.counters)
        answer = mta.inject(headers=_HEADERS)
        assert answer["success_count"] == 1, answer
    counted = Counter(mta.kumod.counters) - before
    return Counter({name: count for name, count in counted.items() if name in COSTS})


def price(counted: Counter[str]) -> float:
    """Their sum in microseconds."""
    return sum(COSTS[name] * count for name, count in counted.items())


def counted_part() -> str:
    """The first part of the document: the calls of each variant and what they cost."""
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: calls(Path(folder) / str(number), **chosen)
            for number, (name, chosen) in enumerate(_VARIANTS.items())
        }
    lines = [
        "# Performance",
        "",
        "## Counted",
        "",
        "How often the reception handler calls each function for a message of 15 headers, and what",
        "each call costs in kumod, in microseconds (`benchmarks/costs.json`); written by",
        "`python -m benchmarks.policy`.",
        "",
        "| call | each | " + " | ".join(found) + " |",
        "|---|---|" + "---|" * len(found),
    ]
    for name in sorted({name for counted in found.values() for name in counted}):
        counts = " | ".join(str(counted[name] or "") for counted in found.values())
        lines.append(f"| `{name}` | {COSTS[name]:g} | {counts} |")
    sums = " | ".join(f"**{price(counted):.0f}**" for counted in found.values())
    lines.append(f"| **sum in microseconds** | | {sums} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the document; what was measured before stays where nothing is measured now."""
    before = TARGET.read_text("utf-8").partition(MEASURED)[2] if TARGET.exists() else ""
    measured, heading, of_domains = before.partition(DOMAINS)
    root = os.environ.get("KUMOMTA_ROOT")
    if root:
        measured = f"{real_kumod.measured_part(Path(root))}\n"
    text = counted_part()
    measured = f"\n{MEASURED}{measured}" if measured else ""
    TARGET.write_text(f"{text}{measured}{heading}{of_domains}", "utf-8")
    sys.stdout.write(TARGET.read_text("utf-8"))


if __name__ == "__main__":
    main()
