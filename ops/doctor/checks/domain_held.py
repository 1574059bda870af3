"""Whether mail of a sender domain waits for records that its owner publishes."""

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, warned
from ops.doctor.registry import check
from ops.doctor.subjects import DOMAINS
from policy.settings.domains import SenderDomain


@check("domain.held", DOMAINS)
def held(domain: SenderDomain, case: Case) -> Finding:
    """The last update knew that DNS has what the domain's mail needs."""
    deployment = case.deployment
    if domain.name not in deployment.settings.unpublished:
        return passed("it may send")
    stack = deployment.stack
    expected = "its needed records seen by `ping8 domains check` before the last update"
    fix = f"ping8 domains check --stack {stack} --pages DIR && {fixes.up(deployment)}"
    if deployment.settings.is_held(domain):
        return failed("held: injection answers 451", expected=expected, fix=fix)
    saw = f"it may send without them (whenUnpublished: {domain.when_unpublished})"
    return warned(saw, expected=expected, fix=fix)
