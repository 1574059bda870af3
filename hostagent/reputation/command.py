"""Verb `reputation`: lists what is refused, or writes down that an operator knows of it."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hostagent.errors import AgentError
from hostagent.report import answer
from hostagent.reputation.kept import PATH, Acknowledged, Kept, changed, read
from hostagent.text import duration_seconds


def main(arguments: Sequence[str], path: Path = PATH) -> int:
    """Prints one line of JSON; an error is one line on standard error and status 1."""
    parser = argparse.ArgumentParser(prog="ping8-agent reputation")
    parser.add_argument("verb", choices=["list", "acknowledge"])
    parser.add_argument("--provider", default="")
    parser.add_argument("--source")
    parser.add_argument("--reason", default="")
    parser.add_argument("--for", dest="duration", default="1d", help="such as 12h")
    parser.add_argument("--by", default="", help="who asked")
    options = parser.parse_args(arguments)
    return answer(lambda: {"refusals": [asdict(one) for one in _found(options, path)]})


def _found(options: argparse.Namespace, path: Path) -> Sequence[Kept]:
    return read(path).kept if options.verb == "list" else _acknowledge(options, path)


def _acknowledge(options: argparse.Namespace, path: Path) -> list[Kept]:
    if not options.reason.strip():
        raise AgentError("an acknowledgement needs a reason", "give --reason")
    now = time.time()
    note = Acknowledged(
        by=options.by,
        reason=options.reason,
        at=now,
        until=now + duration_seconds(options.duration),
    )
    with changed(path) as refusals:
        return refusals.acknowledge(options.provider, options.source, note)
