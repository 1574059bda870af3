"""`make faults`: the tests that docs/durability.md names for the 34 faults, and what they lost."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs/durability.md"
_ROW = re.compile(r"^\| (\d+) \| ([^|]+) \|(.*)\|$", re.MULTILINE)
_NAME = re.compile(r"`(?:[\w/.]+/)?(?:(test_\w+)\.py)?(?:::)?(?:(test_\w+)(?:\[([\w-]+)\])?)?`")
_COUNT = re.compile(r"^ +(\d+)  (.+)$", re.MULTILINE)


@cache
def tests() -> dict[str, set[str]]:
    """The files in which each test is, and each file of tests, by name."""
    found: dict[str, set[str]] = {}
    for folder in ("tests", "standins/kumod/tests"):
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            name = str(path.relative_to(ROOT))
            found.setdefault(path.stem, set()).add(name)
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    found.setdefault(node.name, set()).add(name)
    return found


def named(text: str) -> Iterator[str]:
    """The ids of the tests that a text names; KeyError for one that is not there."""
    for file, test, case in _NAME.findall(text):
        if file and not test:
            yield from tests()[file]
        elif test:
            for path in tests()[test]:
                if not file or path.endswith(f"/{file}.py"):
                    yield f"{path}::{test}" + (f"[{case}]" if case else "")


def rows() -> dict[int, tuple[str, list[str]]]:
    """Each fault by its number: its name and its tests."""
    found = _ROW.findall(TABLE.read_text().partition("## The 34 faults")[2])
    return {int(number): (fault, list(named(rest))) for number, fault, rest in found}


class Results:
    """Outcomes by test, without its cases, and what the soaks counted."""

    def __init__(self) -> None:
        self.outcomes: dict[str, set[str]] = {}
        self.counts: dict[str, int] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes.setdefault(report.nodeid.partition("[")[0], set()).add(report.outcome)
        for text in (text for name, text in report.sections if name.startswith("Captured stdout")):
            for count, what in _COUNT.findall(text):
                self.counts[what] = self.counts.get(what, 0) + int(count)

    def of(self, test: str) -> str:
        """`passed`, or what else became of a test or a whole file."""
        name = test.partition("[")[0]
        found = {
            outcome
            for nodeid, outcomes in self.outcomes.items()
            if nodeid == name or nodeid.startswith(f"{name}::")
            for outcome in outcomes
        }
        for worst in ("failed", "passed", "skipped"):
            if worst in found:
                return worst
        return "not run"


def main(arguments: list[str]) -> int:
    """Runs them all and prints one line for each fault."""
    faults = rows()
    results = Results()
    every = sorted({test for _, names in faults.values() for test in names})
    code = pytest.main(["-q", *arguments, *every], plugins=[results])
    print()
    for number, (fault, names) in faults.items():
        told = {name: results.of(name) for name in names}
        print(f"{number:3d}  {', '.join(sorted(set(told.values()))):16}  {fault}")
    print(f"\n{len(faults)} faults, {len(every)} tests; in the soaks:")
    for what, count in results.counts.items():
        print(f"{count:8d}  {what}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
