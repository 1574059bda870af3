"""The supported Ubuntu releases, and where KumoMTA's packages for them are."""

import json
from functools import cache
from pathlib import Path
from typing import TypedDict

from policy.settings.instances import Architecture


class Ubuntu(TypedDict):
    """`key` and `list`: addresses in KumoMTA's instructions (docs/userguide/installation/linux.md).

    `packaged`: KumoMTA builds for this release; if not, hosts use the packages of 22.04. Years are
    the last of standard security updates and of Ubuntu Pro's. `volume`: a part of the parameter
    that names Canonical's newest image.
    """

    key: str
    list: str
    packaged: bool
    standard_until: int
    pro_until: int
    volume: str


@cache
def ubuntu_releases() -> dict[str, Ubuntu]:
    """By release number."""
    table: dict[str, Ubuntu] = json.loads(
        (Path(__file__).parent / "data" / "ubuntu.json").read_text("utf-8")
    )
    return table


def image_parameter(release: str, processor: Architecture, *, pro: bool) -> str:
    """The public SSM parameter that holds the id of Canonical's newest image.

    documentation.ubuntu.com/aws, "Find Ubuntu images on AWS": the product is `server` or
    `pro-server`; images before 23.10 are kept under `ebs-gp2`.
    """
    product = "pro-server" if pro else "server"
    volume = ubuntu_releases()[release]["volume"]
    return (
        f"/aws/service/canonical/ubuntu/{product}/{release}/stable/current/{processor}/hvm/"
        f"ebs-{volume}/ami-id"
    )
