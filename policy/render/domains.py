"""The policy's tables of sender domains, brands, and the domains that take reports."""

import json
import zlib
from collections.abc import Iterable
from typing import Any

from policy.record_names import bounce_target
from policy.settings import Settings
from policy.settings.dkim import DkimKeys
from policy.settings.domains import SenderDomain, default_bounce

_INBOX_LOCAL_PARTS = ("abuse", "postmaster")


def sender_domains(settings: Settings) -> dict[str, bytes]:
    """The sender domains in 16 files: a message waits for one of them, if it is the first."""
    entries: dict[str, list[tuple[str, Any]]] = {
        f"sender_domains/{digit:x}.json": [] for digit in range(16)
    }
    for domain in settings.domains:
        entries[sender_domain_file(domain.name)].append(
            (domain.name, sender_domain(domain, held=settings.is_held(domain)))
        )
    return {name: lines(each) for name, each in entries.items()}


def sender_domain_file(name: str) -> str:
    """The file that a sender domain is in, where the policy looks it up."""
    return f"sender_domains/{zlib.crc32(name.encode()):08x}"[:-7] + ".json"


def sender_domain(domain: SenderDomain, *, held: bool) -> str | dict[str, Any]:
    """What reception must know of one sender domain, as short as 100,000 of them ask for."""
    content: dict[str, Any] = {"brand": domain.brand}
    if domain.bounce_domain != default_bounce(domain.name):
        content["bounce"] = domain.bounce_domain
    if held:
        content["held"] = True
    if domain.has_own_keys:
        content["signers"] = _signers(domain.dkim)
    return content if len(content) > 1 else domain.brand


def _signers(dkim: DkimKeys) -> list[dict[str, str]]:
    return [{"selector": selector, "algorithm": kind} for selector, kind in dkim.signing()]


def brands(settings: Settings) -> dict[str, Any]:
    """Pool, retry, expiry and keys of each brand, which is KumoMTA's tenant."""
    return {
        brand.name: {
            "pool": brand.pool,
            "retry_interval": brand.retry_interval,
            "max_retry_interval": brand.max_retry_interval,
            "max_age": brand.max_age,
            "signers": _signers(brand.dkim),
        }
        for brand in settings.brands
    }


def _report_domains(settings: Settings) -> set[str]:
    """Every domain that takes bounces or abuse reports by SMTP.

    A bounce domain is an alias into our zone, and some servers deliver to the alias's target.
    """
    names = {domain.bounce_domain for domain in settings.domains}
    names |= {domain.feedback_domain for domain in settings.domains}
    return names | {bounce_target(brand.name, settings.zone) for brand in settings.brands}


def listener_domains(settings: Settings) -> set[str]:
    """Those of `_report_domains` that do not follow from a sender domain's name."""
    return _report_domains(settings) - {
        default_bounce(domain.name) for domain in settings.domains if domain.bounce is None
    }


def inbox(settings: Settings) -> dict[str, Any]:
    """The addresses at report domains whose mail is for people, not for the program."""
    addresses = {domain.dmarc.report for domain in settings.domains if domain.dmarc.report}
    addresses |= {*settings.operators.emails}
    if settings.certificate.email:
        addresses.add(settings.certificate.email)
    domains = _report_domains(settings)
    ours = sorted(text.lower() for text in addresses if text.rpartition("@")[2].lower() in domains)
    return {
        "local_parts": dict.fromkeys(_INBOX_LOCAL_PARTS, True),
        "addresses": dict.fromkeys(ours, True),
    }


def lines(entries: Iterable[tuple[str, Any]]) -> bytes:
    """One entry per line: fast for 100,000 domains, and a change is one line of a diff."""
    encode = json.JSONEncoder(separators=(", ", ": "), sort_keys=True, ensure_ascii=False).encode
    rows = [f"  {encode(name)}: {encode(value)}" for name, value in sorted(entries)]
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()
