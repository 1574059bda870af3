"""One cause that keeps many checks from being made is one line, not one for each."""

import re
from collections.abc import Mapping, Sequence

from ops.doctor.finding import Finding, Status

_FEWEST = 3
_LOOK_UP = re.compile(
    r"could not check: (?:zone of |[A-Z]+ )[\w.-]+: "
    r"(no DNS server answered|every DNS server failed \(SERVFAIL or refused\))"
)
_NOT_ASKED = "could not check: "


def roots(findings: Sequence[Finding]) -> Mapping[str, list[Finding]]:
    """Findings that could not be checked, by their common cause, the most first."""
    logins = {finding.saw for finding in findings if _no_login(finding)}
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        cause = _cause(finding)
        if cause is not None:
            found.setdefault(cause, []).append(finding)
    many = {
        cause: members
        for cause, members in found.items()
        if len(members) >= _FEWEST or cause in logins
    }
    return dict(sorted(many.items(), key=lambda item: -len(item[1])))


def _cause(finding: Finding) -> str | None:
    if _no_login(finding):
        return finding.saw
    if finding.status is not Status.UNKNOWN:
        return None
    look_up = _LOOK_UP.match(finding.saw)
    if look_up is not None:
        return f"DNS: {look_up[1]}"
    if finding.saw.startswith(_NOT_ASKED):
        return finding.saw.removeprefix(_NOT_ASKED)
    return None


def _no_login(finding: Finding) -> bool:
    return finding.check == "host.login" and finding.status is Status.FAIL
