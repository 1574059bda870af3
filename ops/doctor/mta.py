"""The MTA host from outside: certificate, injection path, refused paths, closed ports."""

import datetime

from cryptography import x509

from ops.doctor import https
from ops.doctor.finding import Finding, failed, passed, unknown, warned

_INJECT = "/api/inject/v1"
_REFUSED = (
    "/metrics",
    "/metrics.json",
    "/api/admin/bounce/v1",
    "/api/admin/suspend/v1",
    "/api/admin/inspect-message/v1",
)


def injection(host: str, address: str) -> list[Finding]:
    """Without a token, or with a wrong one, the injection path answers 401."""
    answers = {
        said: https.request("POST", host, _INJECT, address=address, headers=headers, body=b"{}")
        for said, headers in {
            "no token": {},
            "a wrong token": {"Authorization": "Bearer doctor-checks-that-this-is-refused"},
        }.items()
    }
    open_ = [said for said, answer in answers.items() if answer.status != 401]
    saw = ", ".join(f"{said}: {answer.status}" for said, answer in answers.items())
    if open_ and all(answers[said].status == 429 for said in open_):
        return [unknown("mta.token", host, f"{saw}: too many tries from this address")]
    if open_:
        return [
            failed(
                "mta.token",
                host,
                saw,
                expected="401 with WWW-Authenticate",
                mend="pulumi up with push: always; then read nginx -T on the MTA host",
            )
        ]
    return [passed("mta.token", host, saw)]


def refused_paths(host: str, address: str) -> list[Finding]:
    """Everything but injection and liveness is 404."""
    found = {path: https.request("GET", host, path, address=address).status for path in _REFUSED}
    open_ = {path: status for path, status in found.items() if status != 404}
    if open_:
        return [
            failed(
                "mta.paths",
                host,
                ", ".join(f"{path}: {status}" for path, status in open_.items()),
                expected="404",
                mend="pulumi up with push: always; the Nginx site on the host is not the release's",
            )
        ]
    return [passed("mta.paths", host, f"{len(found)} admin and metrics paths answer 404")]


def listener(host: str, address: str, *, takes_reports: bool) -> list[Finding]:
    """Port 8000 is closed; port 25 is open just when bounce domains exist."""
    closed = not https.open_port(address, 8000)
    smtp = https.open_port(address, 25)
    fence = "check the MTA's security group against the table in the README, then pulumi up"
    own = (
        passed("mta.listener", host, f"{address}:8000 is closed")
        if closed
        else failed("mta.listener", host, f"{address}:8000 is open", expected="closed", mend=fence)
    )
    saw = f"{address}:25 is {'open' if smtp else 'closed'}"
    if smtp == takes_reports:
        return [own, passed("mta.port-25", host, saw)]
    expected = "open, for bounces and complaints" if takes_reports else "closed"
    return [own, failed("mta.port-25", host, saw, expected=expected, mend=fence)]


def certificate(
    host: str, address: str, *, ca_file: str | None, days: int, trial: bool
) -> list[Finding]:
    """Chain, names and days left. `trial`: a self-signed one is what the stack asks for."""
    shown = https.certificate(host, address=address)
    problem = https.chain_problem(host, address=address, ca_file=ca_file)
    now = datetime.datetime.now(datetime.UTC)
    left = (shown.not_valid_after_utc - now).days
    saw = f"{_names(shown)}, {left} days left, by {_issuer(shown)}"
    renew = (
        f"ssh to {host}: sudo systemctl start ping8-certificate; journalctl -u ping8-certificate"
    )
    if problem and not (trial and left > 0):
        return [
            failed(
                "mta.certificate", host, f"{saw}: {problem}", expected="a trusted chain", mend=renew
            )
        ]
    if left < days:
        return [warned("mta.certificate", host, saw, expected=f"{days} days or more", mend=renew)]
    return [passed("mta.certificate", host, saw)]


def _names(shown: x509.Certificate) -> str:
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return ", ".join(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        return shown.subject.rfc4514_string()


def _issuer(shown: x509.Certificate) -> str:
    return shown.issuer.rfc4514_string() or "nobody"
