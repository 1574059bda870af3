"""PING8's endpoint as the MTA host reaches it."""

from collections.abc import Mapping
from typing import Any

from ops.doctor.finding import Finding, failed, passed

_REFUSED = (401, 403)


def webhook(host: str, answer: Mapping[str, Any]) -> Finding:
    """From the JSON of `ping8-agent webhook`; a status is there only after a test event."""
    url, status = str(answer["url"]), answer.get("status")
    if not answer["reachable"]:
        return failed(
            "mta.webhook",
            host,
            f"{url}: {answer['error']}",
            expected="a TLS connection",
            mend="check PING8's endpoint, its certificate, and the MTA's way out on its port",
        )
    if status is None:
        return passed("mta.webhook", host, f"{url} is reachable (token not tried: --test-event)")
    if status in _REFUSED:
        return failed(
            "mta.webhook",
            host,
            f"{url}: {status} for our token",
            expected="2xx",
            mend="give PING8 the stack's webhook token: pulumi stack output --show-secrets "
            "webhook_token",
        )
    if not 200 <= int(status) < 300:
        return failed(
            "mta.webhook", host, f"{url}: {status}", expected="2xx", mend="mend PING8's endpoint"
        )
    return passed("mta.webhook", host, f"{url}: {status} for a test event")
