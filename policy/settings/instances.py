"""Facts about EC2 instance types that are needed before AWS is asked."""

import json
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict

Architecture = Literal["arm64", "amd64"]


class InstanceType(TypedDict):
    """`addresses`: private IPv4 addresses that one network interface may have."""

    addresses: int
    architecture: Architecture


_SIZES = {"nano": 2, "micro": 2, "small": 2, "large": 2, "xlarge": 4}


def vcpus(instance_type: str) -> int | None:
    """vCPUs by the size in a type's name; None if the name does not tell."""
    family, _, size = instance_type.partition(".")
    if size == "medium":
        return 2 if family.startswith("t") else 1
    if size.endswith("xlarge") and size.removesuffix("xlarge").isdigit():
        return 4 * int(size.removesuffix("xlarge"))
    return _SIZES.get(size)


@cache
def instance_types() -> dict[str, InstanceType]:
    """The common types, from `aws ec2 describe-instance-types`."""
    table: dict[str, InstanceType] = json.loads(
        (Path(__file__).parent / "data" / "instance_types.json").read_text("utf-8")
    )
    return table
