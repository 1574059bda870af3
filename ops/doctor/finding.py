"""Findings of checks, and the result of a whole examination."""

import enum
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import yaml

from hostagent.text import printable_line


class Status(enum.StrEnum):
    """The result of a check; one that could not run is unknown, never passed."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    WARN = "warn"
    PASS = "pass"  # noqa: S105 - a status, no password


WORST_FIRST = tuple(Status)


@dataclass(frozen=True, kw_only=True)
class CheckText:
    """The texts of one check in `checks.yaml`.

    Its group, what is so when it passes, what is so when it does not, and why it matters.
    """

    group: str
    title: str
    wrong: str
    why: str


@cache
def check_texts() -> dict[str, CheckText]:
    """Every check that exists, by id, in the order of the table."""
    source = resources.files("ops.doctor").joinpath("checks.yaml").read_text("utf-8")
    return {
        check: CheckText(group=group, **text)
        for group, checks in yaml.safe_load(source).items()
        for check, text in checks.items()
    }


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one check about one subject (a source, a domain, a host).

    `saw` and `expected` are facts; `fix` can be pasted or done as it is. `cause` is why the
    check could not run, in the same words for all checks with that cause.
    """

    check: str = ""
    subject: str = ""
    status: Status
    saw: str
    expected: str = ""
    fix: str = ""
    cause: str = ""

    def of(self, check: str, subject: str) -> "Finding":
        """The finding with its check and subject, or the part of the subject if it has one."""
        part = f"{subject} {self.subject}".rstrip()
        return replace(self, check=check, subject=part, saw=printable_line(self.saw))

    @property
    def text(self) -> CheckText:
        """Title, group and reason of the check."""
        return check_texts()[self.check]

    @property
    def headline(self) -> str:
        """The title or its opposite, as the check found it."""
        if self.status in {Status.FAIL, Status.WARN}:
            return self.text.wrong
        return self.text.title if self.status is Status.PASS else f"Not known: {self.text.title}"

    def accepted(self, checks: Container[str]) -> "Finding":
        """The finding; a warning of one of these checks has passed, as the settings have it."""
        if self.status is not Status.WARN or self.check not in checks:
            return self
        saw = f"{self.saw} (accepted: doctor.accepted)"
        return Finding(check=self.check, subject=self.subject, status=Status.PASS, saw=saw)

    @property
    def key(self) -> tuple[str, str]:
        """Identifies the finding in several examinations."""
        return self.check, self.subject


def passed(saw: str, *, part: str = "") -> Finding:
    """All is as expected. A `part` is one of several in the subject: a volume of a host."""
    return Finding(subject=part, status=Status.PASS, saw=saw)


def failed(saw: str, *, expected: str, fix: str, part: str = "") -> Finding:
    """Mail suffers, or will."""
    return Finding(subject=part, status=Status.FAIL, saw=saw, expected=expected, fix=fix)


def warned(saw: str, *, expected: str, fix: str, part: str = "") -> Finding:
    """Mail flows, but something needs attention."""
    return Finding(subject=part, status=Status.WARN, saw=saw, expected=expected, fix=fix)


def unknown(saw: str, *, fix: str = "", cause: str = "") -> Finding:
    """The check could not run; `saw` says why."""
    return Finding(status=Status.UNKNOWN, saw=saw, fix=fix, cause=cause)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Failures first, then what could not be checked, warnings, passes; groups kept together."""
    order = {check: index for index, check in enumerate(check_texts())}
    return sorted(
        findings,
        key=lambda f: (WORST_FIRST.index(f.status), order[f.check], f.subject),
    )


def exit_status(findings: Iterable[Finding]) -> int:
    """0 all well, 1 warnings, 2 failures, 3 something could not be checked (and nothing failed)."""
    seen = {finding.status for finding in findings}
    if Status.FAIL in seen:
        return 2
    if Status.UNKNOWN in seen:
        return 3
    return 1 if Status.WARN in seen else 0
