"""PING8's endpoint as the MTA host reaches it."""

from collections.abc import Mapping
from typing import Any

from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed
from ops.stack import Deployment

_REFUSED = (401, 403)


def webhook(host: str, answer: Mapping[str, Any], deployment: Deployment) -> Finding:
    """From the JSON of `ping8-agent webhook`; a status is there only after a test event."""
    url, status = str(answer["url"]), answer.get("status")
    access, stack = deployment.mta, deployment.stack
    if not answer["reachable"]:
        return failed(
            "mta.webhook",
            host,
            f"{url}: {answer['error']}",
            expected="a connection, with a certificate that the host trusts",
            fix="fix PING8's endpoint or its certificate; as the host sees it: "
            + fixes.on_host(access, f"curl -sv -o /dev/null {url}"),
        )
    if "taken" not in answer:
        return passed("mta.webhook", host, f"{url} is reachable; token not tried (--test-event)")
    if status in _REFUSED:
        return failed(
            "mta.webhook",
            host,
            f"{url} refuses our token: {answer['answer']}",
            expected="2xx",
            fix="give PING8 the stack's token: "
            f"pulumi stack output webhook_token --show-secrets -s {stack}",
        )
    if not answer["taken"]:
        return failed(
            "mta.webhook",
            host,
            f"{url} did not take the test event: {answer['answer']}",
            expected="2xx, and no failure in its body",
            fix="fix PING8's endpoint; events wait and are sent again meanwhile: "
            f"ping8 doctor --stack {stack} --only mta --test-event",
        )
    return passed("mta.webhook", host, f"{url} took a test event: {status}")
