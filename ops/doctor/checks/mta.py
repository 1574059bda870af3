"""The MTA host from outside: its name, certificate, injection path, refused paths, closed ports."""

import datetime

from cryptography import x509

from ops.doctor import fixes, https
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.https import Port
from ops.doctor.registry import check
from ops.doctor.subjects import MTA_NAME, Door
from ops.stack import Deployment, HostAccess
from policy.contract import KUMOD_PORT

_INJECT = "/api/inject/v1"
_REFUSED = (
    "/metrics",
    "/metrics.json",
    "/api/admin/bounce/v1",
    "/api/admin/suspend/v1",
    "/api/admin/inspect-message/v1",
)
"""Requested with GET, which changes nothing if one is open."""

LISTENER = KUMOD_PORT
SMTP = 25


@check("mta.address", MTA_NAME)
def address(endpoint: Door, case: Case) -> Finding:
    """The name that PING8 and MX records use resolves to the host."""
    name, expected = endpoint.name, endpoint.address
    found = case.resolver.addresses(name)
    saw = f"A {name} → {', '.join(found) or 'nothing'}"
    if found == [expected]:
        return passed(saw)
    fix = fixes.refresh(case.deployment)
    return failed(saw, expected=f"only {expected}", fix=fix)


@check("mta.token", MTA_NAME)
def injection(endpoint: Door, case: Case) -> Finding:
    """Without a token, or with a wrong one, the injection path answers 401."""
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
            f"{saw}: too many requests from this address",
            fix="run again in a minute",
        )
    if others:
        return failed(
            saw,
            expected="401",
            fix=f"{fixes.push(case.deployment)}; what Nginx runs with: "
            + fixes.on_host(endpoint.access, "sudo nginx -T"),
        )
    return passed(saw)


@check("mta.paths", MTA_NAME)
def refused_paths(endpoint: Door, case: Case) -> Finding:
    """Everything but injection and liveness is 404."""
    found = {path: https.request("GET", endpoint, path).status for path in _REFUSED}
    open_ = [f"{path}: {status}" for path, status in found.items() if status != 404]
    if open_:
        return failed(
            ", ".join(open_),
            expected="404",
            fix=f"{fixes.push(case.deployment)}; what Nginx runs with: "
            + fixes.on_host(endpoint.access, "sudo nginx -T"),
        )
    return passed(f"{len(found)} admin and metrics paths answer 404")


@check("mta.listener", MTA_NAME)
def listener(endpoint: Door, case: Case) -> Finding:
    """Whether kumod's own port is closed; a host that answers on no port proves nothing."""
    where = f"{endpoint.address}:{LISTENER}"
    if https.port(endpoint.address, LISTENER) is Port.OPEN:
        return failed(
            f"{where} is open",
            expected="closed",
            fix=f"{fixes.refresh(case.deployment)}; {fixes.push(case.deployment)}",
        )
    if https.port(endpoint.address, endpoint.port) is not Port.OPEN:
        raise https.Unreachable(f"{where} is closed, but so is {endpoint}")
    return passed(f"{where} is closed")


@check("mta.port-25", MTA_NAME)
def port_25(endpoint: Door, case: Case) -> Finding:
    """Open only if bounce domains exist.

    Many networks block outbound port 25. If nothing answers this machine, a proxy tries.
    """
    wanted = case.settings.takes_reports()
    open_, seen = https.port(endpoint.address, SMTP) is Port.OPEN, ""
    if not open_:
        source = next(iter(case.deployment.egress.values()))
        open_, seen = case.dial(source, endpoint.address).connected, ", as a proxy sees it"
    saw = f"{endpoint.address}:{SMTP} is {'open' if open_ else 'closed'}{seen}"
    if open_ == wanted:
        return passed(saw)
    return failed(
        saw,
        expected="open, for bounces and complaints" if wanted else "closed: no sender domains",
        fix=f"{fixes.refresh(case.deployment)}; "
        + fixes.on_host(endpoint.access, "systemctl status kumomta"),
    )


@check("mta.certificate", MTA_NAME)
def certificate(endpoint: Door, case: Case) -> Finding:
    """Chain, names and days left. A self-signed one passes if the stack asks for it."""
    host, settings = endpoint.host, case.settings
    shown = https.certificate(endpoint)
    trust = shown if settings.certificate.kind == "self-signed" else None
    problem = https.distrust(endpoint, ca_file=case.options.ca_file, trust=trust)
    left = (shown.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days
    saw = f"{_names(shown)}, {left} days left, by {shown.issuer.rfc4514_string() or '?'}"
    days = settings.alarms.certificate_days
    expected = f"a trusted chain for {host}, {days} days or more left"
    fix = _renewal(case.deployment, endpoint.access)
    if problem:
        return failed(f"{saw}: {problem.reason}", expected=expected, fix=fix)
    if left < days:
        return warned(saw, expected=expected, fix=fix)
    if settings.certificate.kind == "acme" and endpoint.name not in _names(shown).split(", "):
        # Let's Encrypt issues five certificates a week for the same set of names.
        return warned(saw, expected=f"also the node's own name, {endpoint.name}", fix=fix)
    return passed(saw)


def _renewal(deployment: Deployment, access: HostAccess) -> str:
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
                access,
                "sudo systemctl start ping8-certificate; "
                "sudo journalctl -u ping8-certificate -n 50",
            )


def _names(shown: x509.Certificate) -> str:
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return ", ".join(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        return shown.subject.rfc4514_string()
