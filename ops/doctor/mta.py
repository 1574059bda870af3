"""The MTA host from outside: its name, certificate, injection path, refused paths, closed ports."""

import datetime
from collections.abc import Callable

from cryptography import x509

from ops.doctor import fixes, https
from ops.doctor.egress import Dial
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.https import Endpoint, Port
from ops.doctor.resolver import Resolver
from ops.stack import Deployment

_INJECT = "/api/inject/v1"
_REFUSED = (
    "/metrics",
    "/metrics.json",
    "/api/admin/bounce/v1",
    "/api/admin/suspend/v1",
    "/api/admin/inspect-message/v1",
)
"""Asked with GET: should one be open, nothing may happen by asking."""

LISTENER = 8000
SMTP = 25


def address(resolver: Resolver, deployment: Deployment) -> Finding:
    """The name that PING8 injects at, and that MX records name, leads to the host."""
    name, expected = deployment.settings.mta_host, deployment.mta.address
    found = resolver.addresses(name)
    saw = f"A {name} → {', '.join(found) or 'nothing'}"
    if found == [expected]:
        return passed("mta.address", name, saw)
    fix = fixes.refresh(deployment)
    return failed("mta.address", name, saw, expected=f"{expected} alone", fix=fix)


def injection(endpoint: Endpoint, deployment: Deployment) -> Finding:
    """Without a token, or with a wrong one, the injection path answers 401."""
    host = endpoint.host
    tries: dict[str, dict[str, str]] = {
        "no token": {},
        "a wrong token": {"Authorization": "Bearer doctor-checks-that-this-is-refused"},
    }
    answers = {
        said: https.request("POST", endpoint, _INJECT, headers=headers, body=b"{}").status
        for said, headers in tries.items()
    }
    saw = ", ".join(f"{said}: {status}" for said, status in answers.items())
    others = {status for status in answers.values() if status != 401}
    if others == {429}:
        return unknown(
            "mta.token",
            host,
            f"{saw}: too many tries from this address",
            fix="run again in a minute",
        )
    if others:
        return failed(
            "mta.token",
            host,
            saw,
            expected="401",
            fix=f"{fixes.push(deployment)}; what Nginx runs with: "
            + fixes.on_host(deployment.mta, "sudo nginx -T"),
        )
    return passed("mta.token", host, saw)


def refused_paths(endpoint: Endpoint, deployment: Deployment) -> Finding:
    """Everything but injection and liveness is 404."""
    found = {path: https.request("GET", endpoint, path).status for path in _REFUSED}
    open_ = [f"{path}: {status}" for path, status in found.items() if status != 404]
    if open_:
        return failed(
            "mta.paths",
            endpoint.host,
            ", ".join(open_),
            expected="404",
            fix=f"{fixes.push(deployment)}; what Nginx runs with: "
            + fixes.on_host(deployment.mta, "sudo nginx -T"),
        )
    return passed("mta.paths", endpoint.host, f"{len(found)} admin and metrics paths answer 404")


def outside(
    endpoint: Endpoint, deployment: Deployment, from_a_proxy: Callable[[], Dial]
) -> list[Finding]:
    """Port 8000 is closed; port 25 is open just when bounce domains exist.

    Many offices and providers let no port 25 out: where it does not answer here, a proxy host is
    asked. A host that answers on no port proves nothing about the closed ones.
    """
    return [
        _listener(endpoint, deployment),
        _port_25(endpoint, deployment, from_a_proxy),
    ]


def _listener(endpoint: Endpoint, deployment: Deployment) -> Finding:
    host, where = endpoint.host, f"{endpoint.address}:{LISTENER}"
    if https.port(endpoint.address, LISTENER) is Port.OPEN:
        return failed(
            "mta.listener",
            host,
            f"{where} is open",
            expected="closed",
            fix=f"{fixes.refresh(deployment)}; {fixes.push(deployment)}",
        )
    if https.port(endpoint.address, endpoint.port) is not Port.OPEN:
        return unknown("mta.listener", host, f"{where} is closed, but so is {endpoint}")
    return passed("mta.listener", host, f"{where} is closed")


def _port_25(
    endpoint: Endpoint, deployment: Deployment, from_a_proxy: Callable[[], Dial]
) -> Finding:
    host, wanted = endpoint.host, deployment.settings.takes_reports()
    open_ = https.port(endpoint.address, SMTP) is Port.OPEN
    saw = f"{endpoint.address}:{SMTP} is {'open' if open_ else 'closed'}"
    if not open_:
        try:
            dial = from_a_proxy()
        except Exception as error:  # without a proxy's word a closed port may be our own network's
            return unknown(
                "mta.port-25", host, f"{saw} from here; no proxy could be asked: {error}"
            )
        open_ = dial.connected
        saw = f"{endpoint.address}:{SMTP} is {'open' if open_ else 'closed'} as a proxy sees it"
    if open_ == wanted:
        return passed("mta.port-25", host, saw)
    return failed(
        "mta.port-25",
        host,
        saw,
        expected="open, for bounces and complaints" if wanted else "closed: no sender domains",
        fix=f"{fixes.refresh(deployment)}; "
        + fixes.on_host(deployment.mta, "systemctl status kumomta"),
    )


def certificate(endpoint: Endpoint, deployment: Deployment, *, ca_file: str | None) -> Finding:
    """Chain, names and days left. A self-signed one passes where the stack asks for that."""
    host, settings = endpoint.host, deployment.settings
    shown = https.certificate(endpoint)
    trust = shown if settings.certificate.kind == "self-signed" else None
    problem = https.distrust(endpoint, ca_file=ca_file, trust=trust)
    left = (shown.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days
    saw = f"{_names(shown)}, {left} days left, by {shown.issuer.rfc4514_string() or 'nobody'}"
    days = settings.alarms.certificate_days
    expected = f"a chain that clients trust, for {host}, {days} days or more left"
    fix = _renewal(deployment)
    if problem:
        return failed(
            "mta.certificate", host, f"{saw}: {problem.reason}", expected=expected, fix=fix
        )
    if left < days:
        return warned("mta.certificate", host, saw, expected=expected, fix=fix)
    return passed("mta.certificate", host, saw)


def _renewal(deployment: Deployment) -> str:
    stack = deployment.stack
    match deployment.settings.certificate.kind:
        case "given":
            return (
                "set certificate.chain in the stack file; pulumi config set --secret "
                f"certificateKey -s {stack} < privkey.pem && {fixes.up(deployment)}"
            )
        case "self-signed":
            return f"set certificate.kind to acme in the stack file, then {fixes.up(deployment)}"
        case _:
            return fixes.on_host(
                deployment.mta,
                "sudo systemctl start ping8-certificate; "
                "sudo journalctl -u ping8-certificate -n 50",
            )


def _names(shown: x509.Certificate) -> str:
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return ", ".join(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        return shown.subject.rfc4514_string()
