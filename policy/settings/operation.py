"""Operators, alarms and logs."""

from pydantic import Field

from policy.settings.base import Duration, Model


class Operators(Model):
    """People who run the environment."""

    cidrs: tuple[str, ...] = Field(
        description="Addresses that may log in, the machine that runs Pulumi among them.",
        examples=[["198.51.100.0/28"]],
    )
    ssh_keys: tuple[str, ...] = Field(
        default=(), description="Public SSH keys of people.", examples=[["ssh-ed25519 AAAA... me"]]
    )
    emails: tuple[str, ...] = Field(default=(), description="Who gets alarms by e-mail.")


class Alarms(Model):
    """Thresholds. Shares are of one, sizes in percent, ages as durations."""

    enabled: bool = Field(default=True, description="Make metrics, alarms and the dashboard.")
    topic: str | None = Field(default=None, description="ARN of an existing SNS topic.")
    maintenance: bool = Field(default=False, description="Mute every alarm.")
    disk_free_warning: int = Field(default=25, description="Percent free that warns.")
    disk_free_critical: int = Field(default=15, description="Percent free that alarms.")
    memory_used: int = Field(default=80, description="Percent of kumod's limit.")
    queue_age: Duration = Field(default="6h", description="Age of the oldest message.")
    event_backlog: int = Field(default=10_000, description="Events that wait for PING8.")
    bounce_share: float = Field(default=0.05, description="Bounces of messages, by provider.")
    deferral_share: float = Field(default=0.30, description="Deferrals of attempts, by provider.")
    certificate_days: int = Field(default=14, description="Days left of the certificate.")
    clock_offset: float = Field(default=1.0, description="Seconds off the true time.")


class Logs(Model):
    """How long logs are kept on the host, and whether they are shipped."""

    keep: Duration = Field(default="30d", description="Age at which local segments are deleted.")
    keep_gib: int = Field(default=30, ge=1, description="Size of local segments, in GiB.")
    journal_gib: int = Field(default=2, ge=1, description="Size of the journal, in GiB.")
    ship: bool = Field(default=False, description="Copy finished segments to S3.")
    ship_keep: Duration = Field(default="365d", description="How long S3 keeps them.")
