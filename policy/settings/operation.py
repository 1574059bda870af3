"""Operators, alarms and logs."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from policy.settings.base import (
    Cidr,
    Duration,
    Email,
    HostName,
    Kind,
    Model,
    Moment,
    Percent,
    Share,
    stamp,
    unit,
)


def _topic(text: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}", text):
        raise ValueError(
            "write the topic's ARN such as arn:aws:sns:eu-central-1:123456789012:operators"
        )
    return text


def _bucket(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", text):
        raise ValueError("use 3 to 63 lower-case letters, digits and inner hyphens")
    return text


class Operators(Model):
    """The people who run the environment."""

    cidrs: tuple[Cidr, ...] = Field(
        description="Networks that may log in, including the machine that runs Pulumi.",
        examples=[["198.51.100.0/28"]],
    )
    ssh_keys: tuple[str, ...] = Field(
        default=(), description="Operators' public SSH keys.", examples=[["ssh-ed25519 AAAA... me"]]
    )
    emails: tuple[Email, ...] = Field(
        default=(),
        description="E-mail addresses that get alarms.",
        examples=[["mail-ops@example.com"]],
    )


class Token(Model):
    """Which token is used. `ping8 rotate token` writes it."""

    made: tuple[Moment, ...] = Field(
        default=(),
        description="When new tokens were made; the last one is the newest. Another time makes "
        "another token.",
        examples=[["2026-12-01T02:30:00Z"]],
    )
    keep: bool = Field(default=False, description="Also keep the token before the newest one.")

    @property
    def kept(self) -> tuple[str, ...]:
        """What distinguishes each kept token from the first one, the newest last."""
        every = ("", *(stamp(time) for time in self.made))
        return every[-2:] if self.keep else every[-1:]


class Tokens(Model):
    """Tokens that Pulumi generates."""

    injection: Token = Field(
        default=Token(),
        description="The token of injection. With `keep`, the one before it is accepted, too.",
    )
    webhook: Token = Field(
        default=Token(),
        description="The token of the webhook. With `keep`, the one before it is sent still.",
    )


class Alarms(Model):
    """Thresholds: shares as fractions of 1, free space in percent, ages as durations."""

    enabled: bool = Field(
        default=True, description="Send metrics, and create alarms and the dashboard."
    )
    topic: Annotated[str, AfterValidator(_topic), Kind(name="ARN")] | None = Field(
        default=None,
        description="ARN of an existing SNS topic; by default a new one is created.",
        examples=["arn:aws:sns:eu-central-1:123456789012:operators"],
    )
    maintenance: bool = Field(default=False, description="Mute every alarm.")
    disk_free_warning: Percent = Field(
        default=25, description="Warn below this percent of free space or inodes."
    )
    disk_free_critical: Percent = Field(
        default=15,
        description="Alarm below this percent of free space or inodes; kumod refuses mail at 10.",
    )
    memory_used: Percent = Field(default=80, description="Memory use, in percent of kumod's limit.")
    queue_age: Duration = Field(default="6h", description="Age of the oldest message.")
    event_backlog: Annotated[int, unit("events")] = Field(
        default=10_000, ge=1, description="Pending events for PING8."
    )
    bounce_share: Share = Field(
        default=0.05,
        description="Share of messages that bounce for other reasons than reputation, by provider.",
    )
    deferral_share: Share = Field(
        default=0.30, description="Share of attempts that are deferred, by provider."
    )
    reputation_refusals: Annotated[int, unit("messages")] = Field(
        default=3,
        ge=1,
        le=1000,
        description="Messages that one provider refuses from one source for its reputation within "
        "an hour.",
    )
    share_minimum: Annotated[int, unit("messages")] = Field(
        default=100, ge=1, description="Messages in an hour that a share needs to count."
    )
    certificate_days: Annotated[int, unit("days")] = Field(
        default=14, ge=1, le=60, description="Days until the certificate expires."
    )
    clock_offset: Annotated[float, unit("seconds")] = Field(
        default=1.0, gt=0, description="Clock error in seconds."
    )
    full_within: Duration = Field(
        default="24h",
        description="Alarm if a disk will be full within this time at its present growth.",
    )
    no_delivery: Duration = Field(
        default="30m", description="Time without a delivery while mail is queued."
    )
    no_delivery_queued: Annotated[int, unit("messages")] = Field(
        default=100,
        ge=1,
        description="Queued messages that raise this alarm even if no new mail comes in.",
    )
    proxy_failures: Annotated[int, unit("failures in 5 minutes")] = Field(
        default=10, ge=1, description="Failed proxy connections or binds in five minutes."
    )
    interval: Duration = Field(
        default="1m", description="How often a host sends its metrics: 1m to 5m."
    )


class Logs(Model):
    """How long logs are kept on the host, and whether they are shipped."""

    keep: Duration = Field(default="30d", description="Age at which local segments are deleted.")
    keep_gib: Annotated[int, unit("GiB")] = Field(
        default=30, ge=1, description="Size limit of local segments, in GiB."
    )
    journal_gib: Annotated[int, unit("GiB")] = Field(
        default=2, ge=1, description="Size limit of the journal, in GiB."
    )
    ship: bool = Field(default=False, description="Copy finished segments to S3.")
    bucket: Annotated[str, AfterValidator(_bucket), Kind(name="bucket name")] | None = Field(
        default=None,
        description="Name of the bucket to create; it must be unique worldwide.",
        examples=["example-mail-prod-logs"],
    )
    ship_keep: Duration = Field(default="365d", description="How long S3 keeps the segments.")


class Doctor(Model):
    """What `ping8 doctor` checks outside the environment."""

    exchanger: HostName = Field(
        default="gmail-smtp-in.l.google.com",
        description="Mail exchanger that a proxy dials to prove that outbound port 25 is open.",
    )
    block_lists: tuple[HostName, ...] = Field(
        default=(),
        description="DNS block lists to query; none by default, because most have terms of use.",
        examples=[["zen.spamhaus.org"]],
    )
    accepted: tuple[str, ...] = Field(
        default=(),
        description="Checks whose warnings are accepted: they count as passed. Failures do not.",
        examples=[["egress.survives-proxy"]],
    )
