"""Gmail's, Yahoo's and Microsoft's rules for bulk senders: a line each, from other findings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.doctor.finding import Finding, Status, failed, passed, unknown

_COMMON = (
    "domain.spf",
    "domain.dkim-record",
    "domain.dkim-key",
    "domain.dmarc",
    "domain.alignment",
)
_NETWORK = ("egress.address", "egress.reverse-dns")
RULES: Mapping[str, Sequence[str]] = {
    "bulk.gmail": (*_COMMON, *_NETWORK),
    "bulk.yahoo": (*_COMMON, *_NETWORK),
    "bulk.microsoft": _COMMON,
}
"""The checks that cover each provider's rules."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A sender domain: the selector that signs, and the egress sources of its mail."""

    domain: str
    selector: str
    sources: Collection[str]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects of the findings that providers judge it by, without the next key."""
        return (self.domain, f"{self.domain} {self.selector}", *self.sources)


def bulk_senders(findings: Iterable[Finding], senders: Iterable[Sender]) -> list[Finding]:
    """A line for each provider and sender domain."""
    by_subject: dict[str, list[Finding]] = {}
    for finding in findings:
        by_subject.setdefault(finding.subject, []).append(finding)
    return [
        _line(rules, [f for s in sender.subjects for f in by_subject.get(s, ())]).of(
            check, sender.domain
        )
        for sender in senders
        for check, rules in RULES.items()
    ]


def _line(rules: Sequence[str], found: Sequence[Finding]) -> Finding:
    about = [finding for finding in found if finding.check in rules]
    bad = [finding for finding in about if finding.status is Status.FAIL]
    unclear = [finding for finding in about if finding.status is Status.UNKNOWN]
    open_ = {f.check for f in unclear} | (set(rules) - {finding.check for finding in about})
    causes = {finding.cause for finding in unclear}
    if bad:
        return failed(
            "broken: " + ", ".join(f"{f.headline} ({f.check})" for f in bad),
            expected="all rules met",
            fix=f"fix {', '.join(sorted({f.check for f in bad}))}",
        )
    if open_:
        return unknown(
            f"not known: {', '.join(sorted(open_))}",
            fix=f"see {', '.join(sorted(open_))}",
            cause=causes.pop() if len(causes) == 1 else "",
        )
    return passed(f"{len(rules)} rules met; PING8 handles one-click unsubscribe")
