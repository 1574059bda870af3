"""Real packets through the sandbox's network."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.fence import Fence, Redirect
from sandbox.network import Cloud
from sandbox.process import SandboxError, run, wait_until
from standins.pulumi.hosts import Interface, Rule
from tests.sandbox.stations import call, listening

pytestmark = pytest.mark.sandbox

RECIPIENT = "198.51.100.25"
OTHER = "198.51.100.26"
MTA = Interface(name="eni-mta", address="10.80.1.10", prefix=24, groups=frozenset({"mta"}))
PROXY = Interface(
    name="eni-proxy",
    address="10.80.1.20",
    prefix=24,
    secondary=("10.80.1.21",),
    groups=frozenset({"proxy"}),
)


def tcp(group: str, direction: str, port: int, **other_side: str) -> Rule:
    return Rule(
        group=group,
        direction=direction,  # type: ignore[arg-type]
        protocol="tcp",
        from_port=port,
        to_port=port,
        **other_side,
    )


ANYWHERE = "0.0.0.0/0"
FENCE = Fence(
    vpc="10.80.0.0/16",
    interfaces=(MTA, PROXY),
    elastic={
        "203.0.113.10": "10.80.1.10",
        "203.0.113.20": "10.80.1.20",
        "203.0.113.21": "10.80.1.21",
    },
    rules=(
        tcp("mta", "ingress", 443, cidr=ANYWHERE),
        tcp("mta", "egress", 443, cidr=ANYWHERE),
        tcp("mta", "egress", 5000, cidr=ANYWHERE),
        tcp("proxy", "ingress", 5000, peer_group="mta"),
        tcp("proxy", "egress", 25, cidr=ANYWHERE),
    ),
    services=(Redirect("tcp", "169.254.169.254", 80, OTHER, 8080),),
)


class Turn:
    """A lock that knows whether another thread waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waited_for = False

    def __enter__(self) -> None:
        self.waited_for |= self._lock.locked()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.fixture(scope="module")
def network(cloud: Cloud) -> Iterator[Cloud]:
    cloud.up(world_addresses=(RECIPIENT, OTHER))
    cloud.attach(MTA)
    cloud.attach(PROXY)
    run(["ip", "-n", cloud.namespace("eni-proxy"), "addr", "add", "10.80.1.21/24", "dev", "ens5"])
    with (
        listening(cloud, cloud.world, 25, 443, 8080),
        listening(cloud, cloud.namespace("eni-mta"), 443, 8000),
        listening(cloud, cloud.namespace("eni-proxy"), 5000, 443),
    ):
        yield cloud


@pytest.fixture
def fenced(network: Cloud) -> Cloud:
    network.apply(FENCE)
    return network


@pytest.fixture
def mta(fenced: Cloud) -> str:
    return fenced.namespace("eni-mta")


@pytest.fixture
def proxy(fenced: Cloud) -> str:
    return fenced.namespace("eni-proxy")


def test_the_outside_sees_a_host_by_its_elastic_ip(fenced: Cloud, mta: str, proxy: str) -> None:
    assert call(fenced, proxy, RECIPIENT, 25) == "203.0.113.20"
    assert call(fenced, mta, RECIPIENT, 443) == "203.0.113.10"


def test_a_second_private_address_has_its_own_elastic_ip(fenced: Cloud, proxy: str) -> None:
    assert call(fenced, proxy, RECIPIENT, 25, source="10.80.1.21") == "203.0.113.21"


def test_a_host_may_not_send_from_an_address_that_is_not_its_own(fenced: Cloud, mta: str) -> None:
    run(["ip", "-n", mta, "addr", "add", "10.80.1.99/24", "dev", "ens5"])
    try:
        assert call(fenced, mta, RECIPIENT, 443, source="10.80.1.99") == "blocked"
    finally:
        run(["ip", "-n", mta, "addr", "del", "10.80.1.99/24", "dev", "ens5"])


def test_a_host_keeps_its_link_while_rules_are_applied(
    network: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine ends hosts while it changes others."""
    ended = replace(MTA, name="eni-ended", address="10.80.1.30")
    network.attach(ended)
    turn, route = Turn(), Cloud._route_interface

    def routed(self: Cloud, interface: Interface) -> None:
        if interface == ended:
            detaching = pool.submit(network.detach, ended.name)
            wait_until(lambda: turn.waited_for or detaching.done(), "it", seconds=20, every=0.01)
        route(self, interface)

    monkeypatch.setattr("sandbox.network._ONE_AT_A_TIME", turn)
    monkeypatch.setattr(Cloud, "_route_interface", routed)
    with ThreadPoolExecutor() as pool:
        network.apply(replace(FENCE, interfaces=(*FENCE.interfaces, ended)))
    assert ended.name not in run(["ip", "netns", "list"]).stdout


def test_the_mta_cannot_use_smtp_to_the_outside(fenced: Cloud, mta: str) -> None:
    assert call(fenced, mta, RECIPIENT, 25) == "blocked"


def test_a_rule_holds_between_two_hosts_of_one_subnet(fenced: Cloud, mta: str, proxy: str) -> None:
    assert call(fenced, mta, "10.80.1.20", 5000) == "10.80.1.10"
    assert call(fenced, mta, "10.80.1.20", 443) == "blocked"
    assert call(fenced, proxy, "10.80.1.10", 443) == "blocked"


def test_the_proxys_public_address_misses_the_rule_about_the_mtas_group(
    fenced: Cloud, mta: str
) -> None:
    assert call(fenced, mta, "203.0.113.20", 5000) == "blocked"


def test_a_rule_about_addresses_sees_the_elastic_ip_of_a_host_that_comes_by_the_public_way(
    fenced: Cloud, mta: str
) -> None:
    fenced.apply(
        replace(FENCE, rules=(*FENCE.rules, tcp("proxy", "ingress", 443, cidr="203.0.113.10/32")))
    )
    assert call(fenced, mta, "203.0.113.20", 443) == "203.0.113.10"
    assert call(fenced, mta, "10.80.1.20", 443) == "blocked"


def test_the_outside_reaches_open_ports_at_the_public_address_alone(fenced: Cloud) -> None:
    assert call(fenced, fenced.world, "203.0.113.10", 443) in (RECIPIENT, OTHER)
    assert call(fenced, fenced.world, "203.0.113.10", 8000) == "blocked"
    assert call(fenced, fenced.world, "10.80.1.10", 443) == "blocked"
    assert call(fenced, fenced.world, "203.0.113.20", 5000) == "blocked"


def test_link_local_services_see_the_private_address(fenced: Cloud, proxy: str) -> None:
    assert call(fenced, proxy, "169.254.169.254", 80) == "10.80.1.20"


def test_a_host_without_public_address_has_no_way_out(fenced: Cloud, mta: str) -> None:
    fenced.apply(replace(FENCE, elastic={}))
    assert call(fenced, mta, RECIPIENT, 443) == "blocked"


def test_a_change_of_rules_takes_effect_and_doing_it_again_changes_nothing(
    fenced: Cloud, mta: str
) -> None:
    fenced.apply(replace(FENCE, rules=()))
    assert call(fenced, mta, "10.80.1.20", 5000) == "blocked"
    fenced.apply(FENCE)
    fenced.apply(FENCE)
    fenced.up(world_addresses=(RECIPIENT, OTHER))
    assert call(fenced, mta, "10.80.1.20", 5000) == "10.80.1.10"


def test_what_goes_down_leaves_nothing_and_touches_nothing_else(cloud: Cloud) -> None:
    before = run(["nft", "list", "ruleset"]).stdout, run(["ip", "-4", "route"]).stdout
    other = Cloud(prefix=cloud.prefix + "x", machine=False)
    other.up(world_addresses=(RECIPIENT,))
    other.attach(MTA)
    other.apply(FENCE)
    assert (run(["nft", "list", "ruleset"]).stdout, run(["ip", "-4", "route"]).stdout) == before
    other.down()
    names = [each["name"] for each in json.loads(run(["ip", "-json", "netns"]).stdout or "[]")]
    assert not [name for name in names if name.startswith(f"{other.prefix}-")]


def test_a_network_that_the_machine_uses_is_refused_by_name() -> None:
    if Path("/sys/class/net/ping80").exists():
        pytest.skip("a sandbox runs on this machine")
    run(["ip", "link", "add", "t-used", "type", "veth", "peer", "t-used-peer"])
    try:
        run(["ip", "addr", "add", "203.0.113.77/28", "dev", "t-used"])
        run(["ip", "link", "set", "t-used", "up"])
        run(["ip", "link", "set", "t-used-peer", "up"])
        mine = Cloud(prefix="tused")
        with pytest.raises(SandboxError, match=r"203\.0\.113\.0/24 is in use .* dev t-used"):
            mine.up()
        mine.down()
        assert run(["ip", "link", "show", "tused0"], check=False).returncode != 0
    finally:
        run(["ip", "link", "del", "t-used"])
