"""Hosted zones by name or id, and availability zones by what they offer."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.network import NetworkArgs, choose_zones
from policy.settings.hosts import Network
from tests.components import shapes
from tests.components.cloud import Refused, hosted_zone
from tests.components.program import Program, run

ZONE = "mail.example.com"


def _run(ids: dict[str, str], zones: Mapping[str, str]) -> Program:
    """The program in an account with these zones, by id."""

    def get_zone(args: Mapping[str, Any]) -> dict[str, Any]:
        wanted = args.get("zoneId"), args.get("name")
        found = [zone for zone in zones.items() if wanted in ((zone[0], None), (None, zone[1]))]
        if len(found) != 1:
            raise Refused(f"{'multiple' if found else 'no matching'} Route 53 Hosted Zone")
        return hosted_zone(*found[0])

    answers = {"aws:route53/getZone:getZone": get_zone}
    return run(shapes.MINIMAL | {"zoneIds": ids}, answers=answers)


@pytest.mark.parametrize("ids", [{}, {ZONE: "Z1"}], ids=["by name", "by id"])
def test_records_go_to_the_zone_that_was_found(ids: dict[str, str]) -> None:
    zones = {"Z1": ZONE} | ({"Z2": ZONE} if ids else {})
    records = _run(ids, zones).of_type("aws:route53/record:Record")
    assert {record.inputs["zoneId"] for record in records} == {"Z1"}


@pytest.mark.parametrize(
    ("zones", "ids", "said"),
    [
        (
            {"Z1": ZONE, "Z2": ZONE},
            {},
            f"zone {ZONE}: several public zones in Route 53 have this name. Set the id",
        ),
        ({}, {}, "not found in Route 53"),
        ({"Z1": ZONE}, {ZONE: "Z9"}, f"zoneIds: no zone Z9 for {ZONE}"),
        ({"Z9": "example.org"}, {ZONE: "Z9"}, f"Z9 is the zone example.org, not {ZONE}"),
    ],
)
def test_a_zone_that_cannot_be_determined_stops_the_program_with_the_fix(
    zones: dict[str, str], ids: dict[str, str], said: str
) -> None:
    with pytest.raises(pulumi.RunError, match=said) as caught:
        _run(ids, zones)
    assert f"aws route53 list-hosted-zones-by-name --dns-name {ZONE}" in str(caught.value)


def _args(*kinds: str) -> NetworkArgs:
    return NetworkArgs(network=Network(), instance_types=kinds, tags={})


def test_the_first_zones_that_offer_every_instance_type() -> None:
    offers = [("t4g.small", "a"), ("t4g.small", "b"), ("t4g.small", "c")]
    offers += [("c7g.xlarge", "b"), ("c7g.xlarge", "c")]
    kinds, places = zip(*offers, strict=True)
    args = _args("c7g.xlarge", "t4g.small")
    assert choose_zones(args, ["a", "b", "c"], kinds, places) == ["b", "c"]
    with pytest.raises(pulumi.RunError, match=r"2 availability zones must offer .* and 1 do"):
        choose_zones(args, ["a", "b"], kinds, places)
    with pytest.raises(pulumi.RunError, match=r"the region lacks c8g\.xlarge"):
        choose_zones(_args("c8g.xlarge"), ["a", "b"], kinds, places)
