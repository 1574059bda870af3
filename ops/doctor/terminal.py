"""Findings as a table of at most 100 columns, worst first, grouped."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.doctor.finding import WORST_FIRST, Finding, Status, worst_first

_WIDTH = 100
_STYLE = {
    Status.FAIL: "bold red",
    Status.UNKNOWN: "bold magenta",
    Status.WARN: "yellow",
    Status.PASS: "green",
}


def show(findings: Iterable[Finding], console: Console, *, every: bool) -> None:
    """Prints what is not well in full, passes as lines when `every`, and a count of all."""
    ordered = worst_first(findings)
    for finding in ordered:
        if finding.status is not Status.PASS:
            console.print(_trouble(finding), width=min(_WIDTH, console.width))
    passes = [finding for finding in ordered if finding.status is Status.PASS]
    if every and passes:
        console.print(_passes(passes), width=min(_WIDTH, console.width))
    console.print(count(ordered))


def count(findings: Sequence[Finding]) -> Text:
    """How many of each status."""
    parts = []
    for status in WORST_FIRST:
        number = sum(finding.status is status for finding in findings)
        parts.append(Text(f"{number} {status}", style=_STYLE[status] if number else "dim"))
    return Text(", ").join(parts)


def _trouble(finding: Finding) -> Group:
    head = Text.assemble(
        (f"{finding.status.upper():8}", _STYLE[finding.status]),
        (finding.subject, "bold"),
        f"  {finding.text.title}  ",
        (finding.check, "dim"),
    )
    rows = [("saw", finding.saw), ("expected", finding.expected), ("why", finding.text.why)]
    rows.append(("mend", finding.mend))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        if text:
            table.add_row(label, Text(text))
    return Group(head, Padding(table, (0, 0, 1, 8)))


def _passes(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="green", no_wrap=True)
    table.add_column(overflow="fold", max_width=28)
    table.add_column(overflow="fold")
    for _, group in groupby(findings, key=lambda finding: finding.text.group):
        for finding in group:
            table.add_row("pass", finding.subject, Text(f"{finding.text.title}: {finding.saw}"))
    return table
