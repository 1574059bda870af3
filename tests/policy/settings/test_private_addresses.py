"""Private addresses: whatever is edited, nobody else's moves."""

import copy
import ipaddress
from typing import Any

from hypothesis import assume, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from policy.settings import Settings
from policy.settings.checks.network import private_addresses_differ
from policy.settings.private_addresses import private_addresses

BASE: dict[str, Any] = {
    "environment": "test",
    "region": "eu-central-1",
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/events"},
}
NAME = st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True)

Lists = dict[str, list[dict[str, Any]]]


def settings(lists: Lists, **more: Any) -> Settings:
    return Settings.model_validate({**BASE, **lists, **more})


@st.composite
def lists(draw: st.DrawFn) -> Lists:
    """Proxies in both subnets, each with a first source that has its name, and more sources."""
    hosts = draw(st.lists(NAME, min_size=1, max_size=4, unique=True))
    proxies = [{"name": f"p{name}", "subnet": draw(st.integers(0, 1))} for name in hosts]
    names = draw(st.lists(NAME, max_size=12, unique=True))
    sources = [_source(f"first{name}", f"p{name}") for name in hosts]
    sources += [_source(f"s{name}", f"p{draw(st.sampled_from(hosts))}") for name in names]
    return {"proxies": proxies, "sources": sources}


def _source(name: str, proxy: str) -> dict[str, Any]:
    return {"name": name, "proxy": proxy, "ehlo": name}


@st.composite
def edits(draw: st.DrawFn) -> tuple[Lists, Lists, set[str]]:
    """Lists before and after some edits, and the sources and proxies that were meant to change."""
    before = draw(lists())
    after = copy.deepcopy(before)
    meant: set[str] = set()
    for _ in range(draw(st.integers(1, 6))):
        edit = draw(st.sampled_from([_insert_source, _insert_proxy, _remove, _remove_proxy, _move]))
        meant |= edit(draw, after)
    return before, after, meant


def _first(lists: Lists) -> set[str]:
    """By the rule of these lists, the sources with their hosts' primary addresses."""
    return {s["name"] for s in lists["sources"] if s["name"].startswith("first")}


def _insert_source(draw: st.DrawFn, lists: Lists) -> set[str]:
    name = f"n{draw(NAME)}"
    if name in {s["name"] for s in lists["sources"]}:
        return set()
    proxy = draw(st.sampled_from(lists["proxies"]))["name"]
    # In front of a host's first source, it would be the first itself.
    firsts = [i for i, s in enumerate(lists["sources"]) if s["proxy"] == proxy]
    place = draw(st.integers(firsts[0] + 1, len(lists["sources"])))
    lists["sources"].insert(place, _source(name, proxy))
    return {name}


def _insert_proxy(draw: st.DrawFn, lists: Lists) -> set[str]:
    name = f"q{draw(NAME)}"
    if name in {p["name"] for p in lists["proxies"]}:
        return set()
    place = draw(st.integers(0, len(lists["proxies"])))
    lists["proxies"].insert(place, {"name": name, "subnet": draw(st.integers(0, 1))})
    place = draw(st.integers(0, len(lists["sources"])))
    lists["sources"].insert(place, _source(f"first{name}", name))
    return {name, f"first{name}"}


def _remove(draw: st.DrawFn, lists: Lists) -> set[str]:
    return _taken(draw, lists, lists["sources"].remove)


def _move(draw: st.DrawFn, lists: Lists) -> set[str]:
    def move(source: dict[str, Any]) -> None:
        proxy = draw(st.sampled_from(lists["proxies"]))["name"]
        first = min(i for i, s in enumerate(lists["sources"]) if s["proxy"] == proxy)
        if first < lists["sources"].index(source):
            source["proxy"] = proxy

    return _taken(draw, lists, move)


def _taken(draw: st.DrawFn, lists: Lists, act: Any) -> set[str]:
    movable = [s for s in lists["sources"] if s["name"] not in _first(lists)]
    if not movable:
        return set()
    source = draw(st.sampled_from(movable))
    act(source)
    return {source["name"]}


def _remove_proxy(draw: st.DrawFn, lists: Lists) -> set[str]:
    if len(lists["proxies"]) == 1:
        return set()
    proxy = draw(st.sampled_from(lists["proxies"]))
    lists["proxies"].remove(proxy)
    gone = {s["name"] for s in lists["sources"] if s["proxy"] == proxy["name"]}
    lists["sources"] = [s for s in lists["sources"] if s["name"] not in gone]
    return {proxy["name"], *gone}


@limits(max_examples=300)
@given(edits())
def test_no_edit_of_the_lists_moves_the_address_of_anybody_else(
    edit: tuple[Lists, Lists, set[str]],
) -> None:
    old, new, meant = edit
    before, after = private_addresses(settings(old)), private_addresses(settings(new))
    assert after.mta == before.mta
    stay = before.sources.keys() - meant
    assert {name: after.sources[name] for name in stay} == {
        name: before.sources[name] for name in stay
    }
    for name in before.proxies.keys() - meant:
        assert after.proxies[name][0] == before.proxies[name][0]


@limits(max_examples=200)
@given(edits())
def test_a_source_that_moves_needs_nothing_that_its_old_host_still_holds(
    edit: tuple[Lists, Lists, set[str]],
) -> None:
    old, new, _ = edit
    assume(not list(private_addresses_differ(settings(old))))
    assume(not list(private_addresses_differ(settings(new))))
    before, after = private_addresses(settings(old)), private_addresses(settings(new))
    holder = {address: host for host, held in before.proxies.items() for address in held}
    for host, held in after.proxies.items():
        assert {holder.get(address, host) for address in held} == {host}


@given(lists())
def test_every_address_is_one_that_aws_leaves_and_that_only_one_has_or_it_is_rejected(
    given_lists: Lists,
) -> None:
    checked = settings(given_lists)
    found = private_addresses(checked)
    every = [*found.mta.values(), *(address for held in found.proxies.values() for address in held)]
    twice = len(every) - len(set(every))
    assert len(list(private_addresses_differ(checked))) == twice
    networks = [ipaddress.ip_network(text) for text in checked.network.subnets]
    for address in map(ipaddress.ip_address, every):
        (network,) = (network for network in networks if address in network)
        assert 10 <= int(address) - int(network.network_address) < network.num_addresses - 1


def test_a_pinned_address_is_taken_and_moves_nobody() -> None:
    plain: Lists = {
        "proxies": [{"name": "proxy-1"}],
        "sources": [_source(name, "proxy-1") for name in ("one", "two", "three")],
    }
    before = private_addresses(settings(plain))
    pinned = copy.deepcopy(plain)
    pinned["sources"][1]["privateAddress"] = "10.8.0.21"
    after = private_addresses(settings(pinned, mta={"privateAddresses": {"mta-1": "10.8.0.20"}}))
    assert (after.mta["mta-1"], after.sources["two"]) == ("10.8.0.20", "10.8.0.21")
    assert {after.sources[name] for name in ("one", "three")} == {
        before.sources[name] for name in ("one", "three")
    }


def test_a_named_primary_source_stays_when_another_is_listed_first() -> None:
    before = private_addresses(
        settings({"proxies": [{"name": "p1"}], "sources": [_source("one", "p1")]})
    )
    after = private_addresses(
        settings(
            {
                "proxies": [{"name": "p1", "primarySource": "one"}],
                "sources": [_source("new", "p1"), _source("one", "p1")],
            }
        )
    )
    assert after.sources["one"] == before.sources["one"] == after.proxies["p1"][0]


def test_the_primary_address_belongs_to_the_host_and_outlives_its_first_source() -> None:
    proxies = [{"name": "p1"}]
    both, one = (
        private_addresses(
            settings({"proxies": proxies, "sources": [_source(name, "p1") for name in names]})
        )
        for names in (["one", "two"], ["two"])
    )
    assert both.proxies["p1"] == (both.sources["one"], both.sources["two"])
    assert both.proxies["p1"][0] == one.proxies["p1"][0]
