"""Resources and seconds of the whole program under mocks, by number of sender domains.

python -m benchmarks.program [DOMAINS ...]
"""

import sys
import time
from collections import Counter

from tests.components.program import run
from tests.components.shapes import MINIMAL

SIZES = (1, 100, 1000)


def main() -> None:
    """One line a size, in a table that Markdown shows."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    run(MINIMAL)  # imports the providers, which takes seconds and is no part of the result
    print("| sender domains | resources | of them Route 53 | seconds | of them CPU |")
    print("|---:|---:|---:|---:|---:|")
    for size in sizes:
        domains = [f"d{number}.mail.example.com" for number in range(size)]
        start, worked = time.perf_counter(), time.process_time()
        program = run(MINIMAL | {"domains": domains})
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
        kinds = Counter(item.type for item in program)
        records = kinds["aws:route53/record:Record"]
        count = len(program.registrations)
        print(f"| {size:,} | {count:,} | {records:,} | {seconds:.1f} | {worked:.1f} |")


if __name__ == "__main__":
    main()
