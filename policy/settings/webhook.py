"""How events reach PING8."""

from typing import Literal

from pydantic import Field

from policy.settings.base import Duration, Model


class Webhook(Model):
    """PING8's endpoint and the way that events take to it."""

    url: str = Field(
        description="HTTPS endpoint that takes events.",
        examples=["https://app.example.com/api/kumo/events"],
    )
    transport: Literal["log-hook", "outbox"] = Field(
        default="log-hook",
        description="`log-hook`: KumoMTA's queue; `outbox`: a local log and a tailer, for volume.",
    )
    batch_size: int = Field(
        default=1, ge=1, le=1000, description="Events in one POST; above 1 as a JSON array."
    )
    leave_out: tuple[str, ...] = Field(
        default=("Rejection", "InboundReception"),
        description="Record types that are not sent; `InboundReception` is the reception of "
        "mail by SMTP.",
    )
    failure_field: str | None = Field(
        default=None,
        description="JSON field of a 2xx answer that says failure when false or an error.",
        examples=["success"],
    )
    timeout: Duration = Field(default="30s", description="Limit of one POST.")
    connections: int = Field(default=10, ge=1, le=100, description="POSTs at the same time.")
    retry_interval: Duration = Field(default="1m", description="First wait before a retry.")
    max_retry_interval: Duration = Field(default="20m", description="Longest wait.")
    max_event_age: Duration = Field(
        default="7d", description="Age at which an event goes to the dead letters; 7d or more."
    )
