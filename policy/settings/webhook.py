"""How events reach PING8."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from policy.settings.base import Duration, Kind, Model, unit
from policy.settings.urls import HttpsUrl

RecordType = Literal[
    "Reception",
    "InboundReception",
    "Delivery",
    "Bounce",
    "TransientFailure",
    "Expiration",
    "AdminBounce",
    "OOB",
    "Feedback",
    "Rejection",
    "AdminRebind",
    "Delayed",
    "DeferredInjectionRebind",
    "XferOut",
    "XferIn",
]
"""KumoMTA's record types; `InboundReception` is our name for a reception by SMTP."""


def _json_field(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", text):
        raise ValueError("write the name of one JSON field, such as success")
    return text


class Webhook(Model):
    """PING8's endpoint, and how events get there."""

    url: HttpsUrl = Field(
        description="HTTPS endpoint for events.",
        examples=["https://app.example.com/api/kumo/events"],
    )
    transport: Literal["log-hook", "outbox"] = Field(
        default="log-hook",
        description="`log-hook`: KumoMTA's queue; `outbox`: a local log and a tailer, for volume.",
    )
    batch_size: Annotated[int, unit("events")] = Field(
        default=1,
        ge=1,
        le=1000,
        description="Events in one POST; above 1 as a JSON array. A partial batch waits a second.",
    )
    leave_out: tuple[RecordType, ...] = Field(
        default=(
            "Rejection",
            "InboundReception",
            "Delayed",
            "AdminRebind",
            "DeferredInjectionRebind",
            "XferOut",
            "XferIn",
        ),
        description="Record types that are not sent; `InboundReception` is the reception of "
        "mail by SMTP, and a full queue makes a `Delayed` for each message and minute.",
    )
    failure_field: Annotated[str, AfterValidator(_json_field), Kind(name="JSON field")] | None = (
        Field(
            default=None,
            description="JSON field of a 2xx answer; false or an error text in it means failure.",
            examples=["success"],
        )
    )
    timeout: Duration = Field(default="30s", description="Time limit of one POST.")
    connections: Annotated[int, unit("connections")] = Field(
        default=10, ge=1, le=100, description="POSTs at the same time."
    )
    retry_interval: Duration = Field(default="1m", description="First wait before a retry.")
    max_retry_interval: Duration = Field(default="20m", description="Longest wait.")
    max_event_age: Duration = Field(
        default="7d", description="Age at which an event goes to the dead letters; 7d or more."
    )
