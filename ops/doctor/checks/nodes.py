"""What only several MTA hosts have: the balancer before them, and the server of their limits."""

from ops.doctor import fixes, https
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.https import Port
from ops.doctor.registry import check
from ops.doctor.subjects import BALANCER, NODE_NAME, NODES, TARGETS, Door
from ops.stack import HostAccess
from policy.contract import HEALTH_PATH, LIMITS_PORT
from policy.errors import UserError


@check("mta.balancer", BALANCER)
def balancer(name: str, case: Case) -> Finding:
    """The name for injection has the balancer's addresses, and each takes connections."""
    expected = sorted(case.deployment.injection_addresses)
    found = sorted(case.resolver.addresses(name))
    saw = f"A {name} → {', '.join(found) or 'nothing'}"
    if found != expected:
        fix = fixes.refresh(case.deployment)
        return failed(saw, expected=f"only {' and '.join(expected)}", fix=fix)
    closed = [each for each in found if https.port(each, 443) is not Port.OPEN]
    if closed:
        return failed(
            f"{saw}; no answer from {', '.join(closed)} on port 443",
            expected="connections on each address",
            fix=f"see mta.targets and mta.health; {fixes.refresh(case.deployment)}",
        )
    return passed(saw)


@check("mta.health", NODE_NAME)
def health(endpoint: Door, case: Case) -> Finding:
    """What the balancer asks each node."""
    status = https.request("GET", endpoint, HEALTH_PATH).status
    saw = f"GET {HEALTH_PATH}: {status}"
    if status == 200:
        return passed(saw)
    if _drains(endpoint.access, case):
        return warned(f"{saw}: it drains", expected="200", fix=_back(endpoint.access, case))
    return failed(
        saw,
        expected="200",
        fix="see host.units and host.disk; "
        + fixes.on_host(endpoint.access, "systemctl status nginx kumomta"),
    )


@check("mta.targets", TARGETS)
def targets(group: str, case: Case) -> Finding:
    """AWS knows every node, and chooses each that does not drain."""
    region = case.settings.region
    found = case.any_mta("cloud", "--region", region, "--targets", group)["targets"]
    if "error" in found:
        return unknown(f"AWS does not describe the targets: {found['error']}")
    nodes = case.deployment.mta_hosts
    states = {node: found.get(node.private_address, "not registered") for node in nodes}
    saw = ", ".join(f"{node.name} is {state}" for node, state in states.items())
    lost = [node for node, state in states.items() if state != "healthy"]
    if not lost:
        return passed(saw)
    expected = f"{len(nodes)} healthy targets"
    if all(_drains(node, case) for node in lost):
        return warned(saw, expected=expected, fix=_back(lost[0], case))
    return failed(
        saw,
        expected=expected,
        fix=f"see mta.health of {lost[0].name}; if it is well: {fixes.refresh(case.deployment)}",
    )


@check("mta.shared-limits", NODES)
def shared_limits(node: HostAccess, case: Case) -> Finding:
    """A node connects to the server of the shared limits, and kumod's questions were answered."""
    name = case.deployment.limits_address
    if name is None:
        return unknown("the stack's outputs do not name it", fix=fixes.up(case.deployment))
    found = case.ask(node, "dial", "--limits", name, "--port", str(LIMITS_PORT))
    lost = case.status(node).metric("shared_limit_failures")
    if not found["connected"]:
        saw = f"{name}: {found['error']}"
    elif lost:
        saw = f"{name}: {lost:.0f} questions of kumod had no answer in the last interval"
    else:
        return passed(f"{name}: {found['said']}")
    return failed(
        saw,
        expected="an answer",
        fix=f"do not restart kumod until it answers; {fixes.refresh(case.deployment)}; "
        f"aws elasticache describe-replication-groups --region {case.settings.region}",
    )


def _drains(node: HostAccess, case: Case) -> bool:
    try:
        return case.status(node).draining is not None
    except UserError:
        return False


def _back(node: HostAccess, case: Case) -> str:
    return f"ping8 drain {node.name} --back --stack {case.deployment.stack}"
