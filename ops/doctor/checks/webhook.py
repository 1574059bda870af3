"""PING8's endpoint as the MTA host reaches it."""

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed
from ops.doctor.registry import check
from ops.doctor.subjects import MTA_NAME, Door

_REFUSED = (401, 403)


@check("mta.webhook", MTA_NAME)
def webhook(endpoint: Door, case: Case) -> Finding:
    """By `ping8-agent webhook` on the MTA host; there is a status only after a test event."""
    verb = ("webhook", "--test-event") if case.options.test_event else ("webhook",)
    access, stack = endpoint.access, case.deployment.stack
    answer = case.ask(access, *verb)
    url, status = str(answer["url"]), answer.get("status")
    if not answer["reachable"]:
        return failed(
            f"{url}: {answer['error']}",
            expected="a connection, with a certificate that the host trusts",
            fix="fix PING8's endpoint or its certificate; to test it from the host: "
            + fixes.on_host(access, f"curl -sv -o /dev/null {url}"),
        )
    if "taken" not in answer:
        return passed(f"{url} is reachable; token not tried (--test-event)")
    if status in _REFUSED:
        return failed(
            f"{url} refuses our token: {answer['answer']}",
            expected="2xx",
            fix="give PING8 the stack's token: "
            f"pulumi stack output webhook_token --show-secrets -s {stack}",
        )
    if not answer["taken"]:
        return failed(
            f"{url} did not accept the test event: {answer['answer']}",
            expected="2xx, and no failure in its body",
            fix="fix PING8's endpoint; events stay queued and are retried; to test it: "
            f"ping8 doctor --stack {stack} --only mta --test-event",
        )
    return passed(f"{url} accepted a test event: {status}")
