"""Findings as a table of at most 100 columns: by group, the worst first."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.doctor.finding import WORST_FIRST, Finding, Status, worst_first
from ops.doctor.roots import roots

WIDTH = 100
_SHOWN = 8
_PARAGRAPHS = 3
"""Paragraphs about one check; `every` prints all."""
_STYLE = {
    Status.FAIL: "bold red",
    Status.UNKNOWN: "bold magenta",
    Status.WARN: "yellow",
    Status.PASS: "green",
}


def show(findings: Iterable[Finding], console: Console, *, every: bool) -> None:
    """Prints problems in full, passes as lines if `every`, and a count of all."""
    ordered = worst_first(findings)
    width = min(WIDTH, console.width)
    causes = roots(ordered)
    for cause, members in causes.items():
        console.print(_root(cause, members), width=width)
    explained = {finding.key for members in causes.values() for finding in members}
    for group, members in by_group([one for one in ordered if one.key not in explained]):
        passes = [finding for finding in members if finding.status is Status.PASS]
        if not every and len(passes) == len(members):
            continue
        console.print(_heading(group, members, width), width=width)
        trouble = [finding for finding in members if finding.status is not Status.PASS]
        for alike in together(trouble, most=len(trouble) if every else _PARAGRAPHS):
            console.print(_trouble(alike), width=width)
        if every and passes:
            console.print(Padding(_passes(passes), (0, 0, 1, 0)), width=width)
    console.print(count(ordered))


def _root(cause: str, members: Sequence[Finding]) -> Table:
    """The cause, how many checks it affects, and the fix."""
    failed = [finding for finding in members if finding.status is Status.FAIL]
    fix = next((finding.fix for finding in (*failed, *members) if finding.fix), "")
    rest = len(members) - len(failed)
    status = Status.FAIL if failed else Status.UNKNOWN
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True, width=7)
    row.add_column(overflow="fold")
    row.add_row(Text(status, style=_STYLE[status]), Text(cause, style="bold"))
    if rest:
        row.add_row("", f"{rest} checks could not run because of it")
    row.add_row("", Text(fix, style="bold"))
    row.add_row("", "")
    return row


def by_group(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    """Groups with their findings, the group with the worst of them first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.text.group, []).append(finding)
    return sorted(
        groups.items(), key=lambda item: min(WORST_FIRST.index(f.status) for f in item[1])
    )


def count(findings: Iterable[Finding]) -> Text:
    """How many of each status."""
    seen = [finding.status for finding in findings]
    parts = [
        Text(f"{seen.count(status)} {status}", style=_STYLE[status] if status in seen else "dim")
        for status in WORST_FIRST
    ]
    return Text(", ").join(parts)


def _heading(group: str, findings: Iterable[Finding], width: int) -> Table:
    row = Table.grid(expand=True)
    row.width = width
    row.add_column()
    row.add_column(justify="right")
    row.add_row(Text(group.upper(), style="bold underline"), count(findings))
    return row


def together(findings: Iterable[Finding], *, most: int) -> list[list[Finding]]:
    """Findings of one check that are shown as one: those with the same fix.

    A thousand domains may each have a fix of their own: after `most` groups, the rest is one.
    """
    by_fix: dict[tuple[str, Status], dict[str, list[Finding]]] = {}
    for finding in findings:
        groups = by_fix.setdefault((finding.check, finding.status), {})
        fix = finding.fix if finding.fix in groups or len(groups) < most else next(reversed(groups))
        groups.setdefault(fix, []).append(finding)
    return [members for groups in by_fix.values() for members in groups.values()]


def also(members: Sequence[Finding]) -> str:
    """The other subjects of a finding, and whether one fix serves all."""
    others = names(members[1:])
    if any(finding.fix != members[0].fix for finding in members):
        others += "; each has its own fix: ping8 doctor --domain NAME"
    return others


def _trouble(members: Sequence[Finding]) -> Table:
    first = members[0]
    rows = [
        ("saw", first.saw),
        ("expected", first.expected),
        ("why", first.text.why),
        ("fix", first.fix),
        ("also", also(members)),
    ]
    details = Table.grid(padding=(0, 1))
    details.add_column(style="dim", no_wrap=True, width=8)
    details.add_column(overflow="fold")
    for label, text in rows:
        if text:
            details.add_row(label, Text(text, style="bold" if label == "fix" else ""))
    both = Table.grid(padding=(0, 1))
    both.add_column(no_wrap=True, width=7)
    both.add_column(overflow="fold")
    heading = Text.assemble((first.subject, "bold"), f"  {first.headline}  ", (first.check, "dim"))
    both.add_row(Text(first.status, style=_STYLE[first.status]), heading)
    both.add_row("", Padding(details, (0, 0, 1, 0)))
    return both


def names(findings: Sequence[Finding]) -> str:
    """The findings' subjects: some by name, the rest counted."""
    more = len(findings) - _SHOWN
    names = ", ".join(finding.subject for finding in findings[:_SHOWN])
    return f"{names} and {more} more" if more > 0 else names


def _passes(findings: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, width=7)
    table.add_column(overflow="fold", max_width=26)
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(
            Text("pass", style=_STYLE[Status.PASS]),
            finding.subject,
            Text.assemble(finding.text.title, (f": {finding.saw}", "dim")),
        )
    return table
