"""The report as data, as `report.schema.json` describes it, and what changed between two."""

from collections.abc import Iterable
from typing import Any

from ops.doctor.finding import Finding, exit_status, worst_first


def as_data(findings: Iterable[Finding], *, stack: str, when: str) -> dict[str, Any]:
    """The whole examination; `when` is its time in ISO 8601."""
    ordered = worst_first(findings)
    return {
        "stack": stack,
        "time": when,
        "exit_status": exit_status(ordered),
        "findings": [
            {
                "check": finding.check,
                "group": finding.text.group,
                "subject": finding.subject,
                "status": str(finding.status),
                "title": finding.text.title,
                "saw": finding.saw,
                "expected": finding.expected,
                "why": finding.text.why,
                "fix": finding.fix,
            }
            for finding in ordered
        ],
    }


def changes(before: Iterable[Finding], after: Iterable[Finding]) -> list[Finding]:
    """Findings that are new or whose status changed."""
    old = {finding.key: finding.status for finding in before}
    return [finding for finding in after if old.get(finding.key) is not finding.status]
