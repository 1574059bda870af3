"""Injection's rules and certificate, and how fast mail leaves."""

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from policy.settings.base import Duration, Email, EmailOrDomain, Model, Name, unit
from policy.settings.urls import HttpsUrl


class Recipients(Model):
    """Whom an environment may mail."""

    only: tuple[EmailOrDomain, ...] | None = Field(
        default=None,
        description="Domains and addresses that may get mail; by default everybody.",
        examples=[["example.com", "tester@example.net"]],
    )


class Reception(Model):
    """Rules of HTTP injection."""

    unknown_senders: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="Mail from a domain that is not ours: refuse it, or send it unsigned from "
        "the pool `shared-default`.",
    )
    missing_headers: Literal["count", "refuse"] = Field(
        default="count", description="Mail without its X-PING8 headers: count it, or refuse it."
    )
    envelope_sender: Literal["bounce-domain", "keep"] = Field(
        default="bounce-domain",
        description="Set the envelope sender to the bounce domain, or keep PING8's.",
    )
    correlation_headers: Literal["keep", "strip"] = Field(
        default="keep",
        description="The X-PING8 headers of mail that leaves: keep them, or strip them; reports "
        "about the mail name them either way.",
    )
    report_values: Literal["all", "verified"] = Field(
        default="all",
        description="Values of bounces and complaints: all, each event says whether they are "
        "`verified`; or only those that are, so that a forged report names no message.",
    )
    recipients: Recipients = Field(default=Recipients(), description="Restricts who may get mail.")
    max_message_mib: Annotated[int, unit("MiB")] = Field(
        default=10, ge=1, le=100, description="Largest injection request, in MiB."
    )
    requests_per_second: Annotated[int, unit("requests a second")] = Field(
        default=200, ge=1, description="Limit of injection requests per token."
    )


class Certificate(Model):
    """Certificate of the injection host."""

    kind: Literal["acme", "given", "self-signed"] = Field(
        default="acme",
        description="From ACME (DNS-01), given as a secret, or self-signed for trials.",
    )
    directory: HttpsUrl = Field(
        default="https://acme-v02.api.letsencrypt.org/directory", description="ACME directory."
    )
    email: Email | None = Field(
        default=None,
        description="Contact address for the certificate authority.",
        examples=["mail-ops@example.com"],
    )
    chain: str | None = Field(
        default=None,
        description="Certificate chain in PEM, for kind `given`; its key is a secret.",
        examples=["-----BEGIN CERTIFICATE-----..."],
    )


class WarmUp(Model):
    """Daily limits of a new address; the policy picks the day at run time (UTC)."""

    start: datetime.date = Field(description="First day.", examples=["2026-12-01"])
    daily: Annotated[
        tuple[Annotated[int, Field(ge=1), unit("messages")], ...], Field(min_length=1)
    ] = Field(
        description="Messages for each day, in order; no limit after the last.",
        examples=[[500, 1000, 2000, 5000]],
    )


class Shaping(Model):
    """Traffic shaping on top of KumoMTA's rules."""

    community: bool = Field(
        default=True,
        description="Start from the rules for providers of KumoMTA and its community.",
    )
    community_bounces: bool = Field(
        default=True,
        description="Classify bounces by the rules of KumoMTA's community, which know spam blocks, "
        "before those of IANA.",
    )
    automation: bool = Field(
        default=False,
        description="Run KumoMTA's Traffic Shaping Automation: suspend or slow down what the "
        "`automation` rules of the shaping tables say, ours and with `community` KumoMTA's.",
    )
    overrides: dict[str, dict[str, Any]] = Field(
        default={},
        description="KumoMTA shaping tables by domain, as in shaping.toml.",
        examples=[{"gmail.com": {"connection_limit": 5}}],
    )
    warm_up: dict[Name, WarmUp] = Field(
        default={},
        description="Warm-up by egress source.",
        examples=[{"out-2": {"start": "2026-12-01", "daily": [500, 1000, 2000]}}],
    )
    mta_sts: bool = Field(
        default=True,
        description="Look up the MTA-STS policy of recipients' domains; `false` in an emergency.",
    )
    refresh: Duration = Field(default="1h", description="How often the warm-up limits are read.")
