"""Checks of AWS. Hosts query it with their roles, so operators need no AWS credentials."""

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.registry import check
from ops.doctor.subjects import IMAGES, TOPIC
from ops.stack import HostAccess
from policy.settings.base import named


@check("host.image", IMAGES)
def image(access: HostAccess, case: Case) -> Finding:
    """The image that the settings pin, or the instance's own, which a new one would get."""
    mta = access.role == "mta"
    host = case.settings.mta if mta else named(case.settings.proxies, access.name)
    pinned = ("--image", host.ami) if host.ami else ()
    found = case.ask(access, "cloud", "--region", case.settings.region, *pinned)["image"]
    if "error" in found:
        return unknown(f"EC2 does not describe {found['id']}: {found['error']}")
    saw = f"{found['id']} is {found['state']}"
    if found["state"] == "available":
        return passed(saw)
    key = "mta.ami" if mta else f"ami of {access.name}"
    return warned(
        saw,
        expected="an image that exists",
        fix=f"set {key} to an image that exists; this replaces the host (docs/operating.md). "
        "Until then the running host is not affected",
    )


@check("alarms.subscriptions", TOPIC)
def subscriptions(topic: str, case: Case) -> Finding:
    """Every operator confirmed. AWS deletes pending subscriptions after two days (SNS guide)."""
    region = case.settings.region
    found = case.any_mta("cloud", "--region", region, "--topic", topic)["topic"]
    if "error" in found:
        return unknown(f"SNS does not describe {topic}: {found['error']}")
    expected = len(case.settings.operators.emails)
    saw = f"{found['confirmed']} of {expected} confirmed, {found['pending']} pending"
    fix = (
        'each operator opens the link in the e-mail "AWS Notification - Subscription Confirmation"'
        f"; to see who is missing: aws sns list-subscriptions-by-topic --region {region} "
        f"--topic-arn {topic}"
        f"; to send a new e-mail after two days: {fixes.refresh(case.deployment)}"
    )
    if not found["confirmed"]:
        return failed(saw, expected="all confirmed", fix=fix)
    if found["pending"] or found["confirmed"] < expected:
        return warned(saw, expected="all confirmed", fix=fix)
    return passed(saw)
