"""Where mail leaves: egress sources, pools and brands."""

import math
from typing import Annotated

from pydantic import Field

from policy.contract import RETRY
from policy.settings.base import Address, AllocationId, Duration, EhloName, Model, Name, unit
from policy.settings.dkim import DkimKeys


class Source(Model):
    """One public address with its EHLO name."""

    name: Name = Field(description="Name of the egress source in KumoMTA.", examples=["out-2"])
    proxy: Name = Field(description="Proxy host of the source.", examples=["proxy-1"])
    ehlo: EhloName = Field(
        description="EHLO name in our zone (its first label, or in full); A and PTR match.",
        examples=["out1"],
    )
    allocation_id: AllocationId | None = Field(
        default=None,
        description="An existing Elastic IP, to keep a warm address.",
        examples=["eipalloc-0123456789abcdef0"],
    )
    private_address: Address | None = Field(
        default=None,
        description="Private address on its proxy host; chosen by name unless set. A host's "
        "first source has the host's own.",
        examples=["10.8.0.21"],
    )


class Pool(Model):
    """A weighted set of egress sources."""

    name: Name = Field(description="Name of the egress pool in KumoMTA.", examples=["news"])
    sources: dict[Name, Annotated[int, Field(ge=1, le=10_000), unit("weight")]] = Field(
        description="Share of each egress source in the pool's mail, as whole numbers such as "
        "3 and 1; the limits of warm-up and shaping go before it.",
        examples=[{"proxy-default": 1}],
    )

    def turns(self) -> dict[str, int]:
        """The weights in lowest terms."""
        divisor = math.gcd(*self.sources.values())
        return {name: weight // divisor for name, weight in self.sources.items()}


class Brand(Model):
    """A brand isolates reputation; it is a tenant in KumoMTA."""

    name: Name = Field(description="Name of the brand and of KumoMTA's tenant.", examples=["news"])
    pool: Name = Field(description="Egress pool of its mail.", examples=["news"])
    isolated: bool = Field(
        default=False, description="No other brand may use its pool or its sources."
    )
    retry_interval: Duration = Field(
        default=RETRY["retry_interval"], description="First wait before a retry."
    )
    max_retry_interval: Duration = Field(
        default=RETRY["max_retry_interval"], description="Longest wait."
    )
    max_age: Duration = Field(default=RETRY["max_age"], description="When mail expires.")
    dkim: DkimKeys = Field(
        default=DkimKeys(),
        description="Signing keys of its sender domains that have none of their own "
        "(`dkim.keys: brand`).",
    )
