"""`python -m benchmarks.fleet`: what becomes of mail while one of several MTA hosts is in trouble.

It plays on a sandbox that is up with two of them, `ping8 sandbox up --nodes 2`: the real KumoMTA,
KumoProxy, Nginx, HAProxy and Redis, with clients that repeat what was refused. Every message and
event is accounted for. Exit status 1 if a message was lost or an injection refused without
`Retry-After`.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable

from pulumi import automation

from benchmarks.fleet.account import Ledger, table
from benchmarks.fleet.cases import Gate
from benchmarks.fleet.traffic import Traffic
from sandbox import run
from sandbox.layout import Layout
from sandbox.process import SandboxError, wait_until


def main() -> int:
    """Plays the chosen cases, and prints what became of everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--rate", type=float, default=20, help="messages a second")
    parser.add_argument("--only", action="append", help="words of a case's name")
    parser.add_argument("--measure", type=int, default=1000, help="messages; 0: no figures")
    parser.add_argument("--many", type=int, default=5000, help="messages to drain; 0: none")
    parser.add_argument("--limited", type=int, default=200, help="for each node; 0: none")
    options = parser.parse_args()
    sandbox = run.standing(Layout.of_checkout())
    if len(sandbox.deployment.mta_hosts) < 2:
        raise SandboxError("this sandbox has one MTA host: `ping8 sandbox up --nodes 2` adds one")
    gate = Gate(sandbox, Traffic(sandbox), Ledger(sandbox), {})
    if options.measure:
        _measure(gate, options.measure)
    if options.limited:
        _play(gate, "a limit holds over both", lambda: gate.limit(options.limited))
    if options.many:
        _play(gate, "a drain of many", lambda: gate.drain_many(options.many))
    gate.traffic.start(options.rate)
    for name, play in gate.cases().items():
        if not options.only or any(words in name for words in options.only):
            _play(gate, name, play)
            time.sleep(10)
    gate.traffic.stop()
    lost = _settled(gate)
    if options.many:
        _play(gate, "a transferred message is found by its first id", gate.follow)
    for line in table(gate.traffic, gate.ledger):
        print(line)
    for name, figure in gate.notes.items():
        print(f"- {name}: {figure}")
    print(*gate.traffic.wrong[:20], sep="\n")
    bad = lost or gate.traffic.wrong
    print("fleet:", "FAILED" if bad else "ok", flush=True)
    return 1 if bad else 0


def _measure(gate: Gate, count: int) -> None:
    gate.traffic.case = "figures"
    gate.ping8("drain", "mta-2", "--yes", "--reason", "one node")
    one = gate.throughput(count)
    gate.ping8("drain", "mta-2", "--back", "--yes")
    gate.healthy("mta-2")
    time.sleep(25)
    gate.notes["messages a second with 1 node"] = f"{one:.0f}"
    gate.notes["messages a second with 2 nodes"] = f"{gate.throughput(count):.0f}"


def _play(gate: Gate, name: str, play: Callable[[], None]) -> None:
    gate.traffic.case = name
    began = time.monotonic()
    print(f"{time.strftime('%T')} {name}", file=sys.stderr, flush=True)
    try:
        play()
    except (SandboxError, automation.CommandError) as error:
        gate.traffic.wrong.append(f"{name}: {str(error)[-500:]}")
    print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _settled(gate: Gate) -> list[str]:
    """The lost messages, once nothing is missing or nothing has come for long."""

    def complete() -> bool:
        lost, gaps = gate.ledger.missing(gate.traffic)
        return not lost and not gaps

    with contextlib.suppress(SandboxError):
        wait_until(complete, "the last ones", seconds=400, every=2.0)
    lost, gaps = gate.ledger.missing(gate.traffic)
    for name in lost[:20]:
        print(f"lost: {name}, accepted at {gate.traffic.accepted[name]:.1f}")
    for name, kind in gaps[:20]:
        print(f"no {kind}: {name}, accepted at {gate.traffic.accepted[name]:.1f}")
    return lost


if __name__ == "__main__":
    sys.exit(main())
