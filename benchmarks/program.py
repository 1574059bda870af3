"""Cost of the whole program under mocks, by number of sender domains and by whose keys sign.

python -m benchmarks.program [DOMAINS ...]

One process each: memory that one run needed would count for the next. The engine's own part is
not in it.
"""

import json
import resource
import subprocess
import sys
import time
from collections import Counter

from tests.components.program import run
from tests.components.shapes import MINIMAL

SIZES = (1, 100, 1000)
EXTERNAL_SIZES = (*SIZES, 100_000)
KINDS = {
    "Route 53, own keys": ("d{}.mail.example.com", "domain", SIZES),
    "Route 53, keys of the brand": ("d{}.mail.example.com", "brand", SIZES),
    "DNS elsewhere, keys of the brand": ("shop-{}.example", "brand", EXTERNAL_SIZES),
}


def main() -> None:
    """One line a kind and size, in a table that Markdown shows."""
    sizes = [int(size) for size in sys.argv[1:]]
    columns = ("sender domains", "how many", "resources", "of them Route 53")
    print("|", " | ".join((*columns, "CPU, s", "memory, MiB", "state, bytes a domain")), "|")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for kind, (_, _, own) in KINDS.items():
        for size in sizes or own:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.program", kind, str(size)], check=True
            )


def measure(kind: str, size: int) -> None:
    """One line of the table."""
    pattern, keys, _ = KINDS[kind]
    run(MINIMAL)  # imports the providers, which takes seconds and is no part of the result
    worked = time.process_time()
    domains = [{"name": pattern.format(number), "dkim": {"keys": keys}} for number in range(size)]
    program = run(MINIMAL | {"domains": domains})
    worked = time.process_time() - worked
    kinds = Counter(item.type for item in program)
    push = program.one("Command", "mail-release-mta-1-push").inputs["stdin"]
    state = len(push) + len(json.dumps(program.outputs["settings"]["domains"]))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"| {kind} | {size:,} | {len(program.registrations):,} | "
        f"{kinds['aws:route53/record:Record']:,} | {worked:.1f} | {memory} | {state / size:,.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in KINDS:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main()
