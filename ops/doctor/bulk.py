"""What Gmail, Yahoo and Microsoft ask of bulk senders: a line each, from the other findings."""

from collections.abc import Iterable, Mapping, Sequence

from ops.doctor.finding import Finding, Status, failed, passed, unknown

_SPF, _DKIM = "domain.spf", "domain.dkim-record"
_COMMON = (_SPF, _DKIM, "domain.dkim-key", "domain.dmarc", "domain.alignment")
_NETWORK = ("egress.address", "egress.reverse-dns")
RULES: Mapping[str, Sequence[str]] = {
    "bulk.gmail": (*_COMMON, "domain.dkim-length", *_NETWORK),
    "bulk.yahoo": (*_COMMON, *_NETWORK),
    "bulk.microsoft": (_SPF, _DKIM, "domain.dkim-key", "domain.dmarc", "domain.alignment"),
}


def bulk_senders(findings: Iterable[Finding]) -> list[Finding]:
    """Pass or fail of each provider over the whole environment."""
    found = list(findings)
    return [_provider(check, rules, found) for check, rules in RULES.items()]


def _provider(check: str, rules: Sequence[str], found: Sequence[Finding]) -> Finding:
    about = [finding for finding in found if finding.check in rules]
    bad = [finding for finding in about if finding.status is Status.FAIL]
    open_ = [finding for finding in about if finding.status is Status.UNKNOWN]
    if bad:
        names = sorted({f"{finding.check} ({finding.subject})" for finding in bad})
        return failed(
            check,
            "all",
            f"{len(bad)} rules broken: {', '.join(names)}",
            expected="none",
            mend="mend those checks above",
        )
    if open_ or not about:
        return unknown(check, "all", f"{len(open_)} rules could not be checked")
    return passed(check, "all", f"{len(about)} rules kept; one-click unsubscribe is PING8's part")
