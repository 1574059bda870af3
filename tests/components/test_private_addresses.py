"""Private addresses, chosen by name."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.private_addresses import SubnetFull, private_addresses
from policy.settings import Settings

BASE: dict[str, Any] = {
    "environment": "test",
    "region": "eu-central-1",
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/events"},
}


def settings(names: list[str], subnet: str = "10.8.0.0/24") -> Settings:
    """One proxy host with these sources."""
    sources = [{"name": name, "proxy": "proxy-1", "ehlo": name} for name in names]
    network = {"cidr": "10.8.0.0/16", "subnets": [subnet, "10.8.255.0/24"]}
    return Settings.model_validate({**BASE, "sources": sources, "network": network})


NAMES = st.lists(
    st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True), min_size=1, max_size=40, unique=True
)


@given(NAMES)
def test_every_address_is_in_its_subnet_and_used_once(names: list[str]) -> None:
    found = private_addresses(settings(names))
    addresses = [found.mta, *found.proxies["proxy-1"]]
    assert len(set(addresses)) == len(names) + 1
    hosts = list(ipaddress.ip_network("10.8.0.0/24").hosts())
    assert all(ipaddress.ip_address(address) in hosts[9:] for address in addresses)


@given(NAMES, st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True))
def test_a_new_source_moves_no_other(names: list[str], more: str) -> None:
    before = private_addresses(settings(names))
    after = private_addresses(settings([*names, *({more} - set(names))]))
    assert before.sources.items() <= after.sources.items()
    assert before.mta == after.mta


def test_a_removed_source_moves_no_other() -> None:
    before = private_addresses(settings(["one", "two", "three", "four"])).sources
    after = private_addresses(settings(["one", "three", "four"])).sources
    assert after.items() <= before.items()


def test_the_first_source_sends_from_the_primary_address() -> None:
    found = private_addresses(settings(["one", "two"]))
    assert found.proxies["proxy-1"] == (found.sources["one"], found.sources["two"])


def test_the_primary_address_belongs_to_the_host_and_outlives_its_first_source() -> None:
    before, after = (private_addresses(settings(names)) for names in (["one", "two"], ["two"]))
    assert before.proxies["proxy-1"][0] == after.proxies["proxy-1"][0]


def test_a_small_subnet_gives_all_that_aws_leaves() -> None:
    names = [f"source-{n}" for n in range(10)]
    found = private_addresses(settings(names, "10.8.0.0/28"))
    assert len({found.mta, *found.proxies["proxy-1"]}) == 11


def test_a_full_subnet_says_so() -> None:
    with pytest.raises(SubnetFull, match=r"10\.8\.0\.0/28 has 11 addresses"):
        private_addresses(settings([f"source-{n}" for n in range(11)], "10.8.0.0/28"))
