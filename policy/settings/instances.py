"""What must be known of an EC2 instance type before AWS is asked."""

import json
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict

Architecture = Literal["arm64", "amd64"]


class InstanceType(TypedDict):
    """`addresses`: private IPv4 addresses that one network interface may have."""

    addresses: int
    architecture: Architecture


@cache
def instance_types() -> dict[str, InstanceType]:
    """The common types, from `aws ec2 describe-instance-types`."""
    table: dict[str, InstanceType] = json.loads(
        (Path(__file__).parent / "data" / "instance_types.json").read_text("utf-8")
    )
    return table
