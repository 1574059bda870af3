"""Operators, alarms and logs."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from policy.settings.base import Cidr, Duration, Email, HostName, Kind, Model, Percent, Share, unit


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
    """People who run the environment."""

    cidrs: tuple[Cidr, ...] = Field(
        description="Addresses that may log in, the machine that runs Pulumi among them.",
        examples=[["198.51.100.0/28"]],
    )
    ssh_keys: tuple[str, ...] = Field(
        default=(), description="Public SSH keys of people.", examples=[["ssh-ed25519 AAAA... me"]]
    )
    emails: tuple[Email, ...] = Field(
        default=(), description="Who gets alarms by e-mail.", examples=[["mail-ops@example.com"]]
    )


class Alarms(Model):
    """Thresholds. Shares are of one, sizes in percent, ages as durations."""

    enabled: bool = Field(default=True, description="Make metrics, alarms and the dashboard.")
    topic: Annotated[str, AfterValidator(_topic), Kind(name="ARN")] | None = Field(
        default=None,
        description="ARN of an existing SNS topic; a new one is made unless set.",
        examples=["arn:aws:sns:eu-central-1:123456789012:operators"],
    )
    maintenance: bool = Field(default=False, description="Mute every alarm.")
    disk_free_warning: Percent = Field(
        default=25, description="Percent of space or inodes free that warns."
    )
    disk_free_critical: Percent = Field(
        default=15,
        description="Percent of space or inodes free that alarms; kumod refuses mail at 10.",
    )
    memory_used: Percent = Field(default=80, description="Percent of kumod's limit.")
    queue_age: Duration = Field(default="6h", description="Age of the oldest message.")
    event_backlog: Annotated[int, unit("events")] = Field(
        default=10_000, ge=1, description="Events that wait for PING8."
    )
    bounce_share: Share = Field(
        default=0.05,
        description="Bounces of messages for other reasons than reputation, by provider.",
    )
    deferral_share: Share = Field(default=0.30, description="Deferrals of attempts, by provider.")
    reputation_refusals: Annotated[int, unit("messages")] = Field(
        default=3,
        ge=1,
        le=1000,
        description="Messages that one provider refuses from one source for its reputation within "
        "an hour.",
    )
    share_minimum: Annotated[int, unit("messages")] = Field(
        default=100, ge=1, description="Messages in an hour below which no share is judged."
    )
    certificate_days: Annotated[int, unit("days")] = Field(
        default=14, ge=1, le=60, description="Days left of the certificate."
    )
    clock_offset: Annotated[float, unit("seconds")] = Field(
        default=1.0, gt=0, description="Seconds off the true time."
    )
    full_within: Duration = Field(
        default="24h", description="Alarm when a disk, as it grows, is full within this time."
    )
    no_delivery: Duration = Field(
        default="30m", description="Time without a delivery while mail is queued."
    )
    no_delivery_queued: Annotated[int, unit("messages")] = Field(
        default=100,
        ge=1,
        description="Messages queued from which this holds though none come in.",
    )
    proxy_failures: Annotated[int, unit("failures in 5 minutes")] = Field(
        default=10, ge=1, description="Failed proxy connections or binds in five minutes."
    )
    interval: Duration = Field(
        default="1m", description="How often a host sends its metrics; 1m to 5m."
    )


class Logs(Model):
    """How long logs are kept on the host, and whether they are shipped."""

    keep: Duration = Field(default="30d", description="Age at which local segments are deleted.")
    keep_gib: Annotated[int, unit("GiB")] = Field(
        default=30, ge=1, description="Size of local segments, in GiB."
    )
    journal_gib: Annotated[int, unit("GiB")] = Field(
        default=2, ge=1, description="Size of the journal, in GiB."
    )
    ship: bool = Field(default=False, description="Copy finished segments to S3.")
    bucket: Annotated[str, AfterValidator(_bucket), Kind(name="bucket name")] | None = Field(
        default=None,
        description="The bucket that is made for them; its name is nobody else's in the world.",
        examples=["example-mail-prod-logs"],
    )
    ship_keep: Duration = Field(default="365d", description="How long S3 keeps them.")


class Doctor(Model):
    """What `ping8 doctor` asks beyond the environment itself."""

    exchanger: HostName = Field(
        default="gmail-smtp-in.l.google.com",
        description="Mail exchanger that a proxy dials to prove that port 25 is open outward.",
    )
    block_lists: tuple[HostName, ...] = Field(
        default=(),
        description="DNS block lists to ask; none unless set, as most have terms of use.",
        examples=[["zen.spamhaus.org"]],
    )
