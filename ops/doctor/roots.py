"""One cause that keeps many checks from being made is one line, not one for each."""

from collections.abc import Mapping, Sequence

from ops.doctor.finding import Finding, Status
from ops.doctor.reach import FIXES

_FEWEST = 3


def roots(findings: Sequence[Finding]) -> Mapping[str, list[Finding]]:
    """Checks that could not be made, by their common cause, the most first."""
    logins = {finding.saw for finding in findings if _no_login(finding)}
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        cause = finding.saw if _no_login(finding) else finding.cause
        if cause:
            found.setdefault(cause, []).append(finding)
    many = {
        cause: members
        for cause, members in found.items()
        if len(members) >= _FEWEST or cause in logins or cause in FIXES
    }
    return dict(sorted(many.items(), key=lambda item: -len(item[1])))


def _no_login(finding: Finding) -> bool:
    return finding.check == "host.login" and finding.status is Status.FAIL
