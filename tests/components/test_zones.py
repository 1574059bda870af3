"""Hosted zones by name or id, and availability zones by what they offer."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components import zones
from components.network import NetworkArgs, choose_zones
from policy.settings.hosts import Network
from tests.components import shapes


async def _look_up(
    monkeypatch: pytest.MonkeyPatch, answer: Any, ids: dict[str, str]
) -> tuple[Any, dict[str, Any]]:
    asked: dict[str, Any] = {}

    async def one(_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get(**arguments: Any) -> None:
        asked.update({key: value for key, value in arguments.items() if key != "opts"})

    monkeypatch.setattr(zones, "_one", one)
    monkeypatch.setattr(aws.route53, "get_zone_output", get)
    settings = shapes.settings("minimal").model_copy(update={"zone_ids": ids})
    found = await zones._find(settings, "example.com", pulumi.InvokeOutputOptions())
    return found, asked


FOUND = SimpleNamespace(name="example.com", zone_id="Z1")


@pytest.mark.parametrize(
    ("ids", "asked"),
    [({}, {"name": "example.com"}), ({"example.com": "Z1"}, {"zone_id": "Z1"})],
)
def test_a_zone_is_found_by_id_or_name(
    monkeypatch: pytest.MonkeyPatch, ids: dict[str, str], asked: dict[str, str]
) -> None:
    assert asyncio.run(_look_up(monkeypatch, FOUND, ids)) == (FOUND, asked)


@pytest.mark.parametrize(
    ("answer", "ids", "said"),
    [
        (
            Exception("multiple Route 53 Hosted Zones matched; use additional constraints"),
            {},
            "zone example.com: several public zones in Route 53 have this name. Set the id",
        ),
        (Exception("no matching Route 53 Hosted Zone found"), {}, "not found in Route 53"),
        (Exception("NoSuchHostedZone"), {"example.com": "Z9"}, "zoneIds: no zone Z9 for"),
        (
            SimpleNamespace(name="example.org"),
            {"example.com": "Z9"},
            "Z9 is the zone example.org, not example.com",
        ),
    ],
)
def test_a_zone_that_cannot_be_determined_stops_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, answer: Any, ids: dict[str, str], said: str
) -> None:
    with pytest.raises(pulumi.RunError, match=said) as caught:
        asyncio.run(_look_up(monkeypatch, answer, ids))
    assert "aws route53 list-hosted-zones-by-name --dns-name example.com" in str(caught.value)


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
