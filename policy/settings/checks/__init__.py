"""Rules across settings, one function each: what a single field's type cannot say."""

from policy.settings.checks import (
    brands,
    certificate,
    domains,
    egress,
    hosts,
    network,
    operation,
    shaping,
    spf,
    webhook,
)
from policy.settings.checks.rule import Check

CHECKS: tuple[Check, ...] = (
    *network.CHECKS,
    *hosts.CHECKS,
    *egress.CHECKS,
    *brands.CHECKS,
    *domains.CHECKS,
    *spf.CHECKS,
    *webhook.CHECKS,
    *certificate.CHECKS,
    *operation.CHECKS,
    *shaping.CHECKS,
)

__all__ = ["CHECKS", "Check"]
