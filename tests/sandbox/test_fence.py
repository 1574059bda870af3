"""The fence as nftables text."""

from sandbox.fence import Fence, Redirect, render
from standins.pulumi.hosts import Interface, Rule

MTA = Interface(name="eni-a", address="10.80.1.10", prefix=24, groups=frozenset({"mta"}))
PROXY = Interface(
    name="eni-b",
    address="10.80.1.20",
    prefix=24,
    secondary=("10.80.1.21",),
    groups=frozenset({"proxy"}),
)


def text(*rules: Rule, **others: object) -> str:
    fence = Fence(vpc="10.80.0.0/16", interfaces=(MTA, PROXY), rules=rules, **others)  # type: ignore[arg-type]
    return render(fence, outside="o-*")


def chain(script: str, name: str) -> list[str]:
    body = script.partition(f"\tchain {name} {{\n")[2].partition("\n\t}\n")[0]
    return [line.strip() for line in body.splitlines() if line.strip()]


def test_the_gateway_of_a_subnet_is_its_first_address() -> None:
    assert PROXY.gateway == "10.80.1.1"


def test_a_rule_about_a_group_names_every_address_of_its_members() -> None:
    script = text(
        Rule(
            group="mta",
            direction="ingress",
            protocol="tcp",
            from_port=5000,
            to_port=5001,
            peer_group="proxy",
        )
    )
    assert chain(script, "if_10_80_1_10_ingress") == [
        "ip saddr { 10.80.1.20, 10.80.1.21 } meta l4proto tcp th dport 5000-5001 accept",
        "counter drop",
    ]


def test_a_group_without_members_allows_nothing() -> None:
    script = text(Rule(group="mta", direction="ingress", protocol="-1", peer_group="nobody"))
    assert chain(script, "if_10_80_1_10_ingress") == ["counter drop"]


def test_egress_is_judged_by_the_port_before_translation() -> None:
    script = text(
        Rule(
            group="proxy",
            direction="egress",
            protocol="tcp",
            from_port=443,
            to_port=443,
            cidr="0.0.0.0/0",
        )
    )
    assert chain(script, "if_10_80_1_20_egress") == [
        "ct original ip daddr 0.0.0.0/0 meta l4proto tcp ct original proto-dst 443 return",
        "counter drop",
    ]


def test_rules_for_ipv6_are_left_out() -> None:
    script = text(Rule(group="mta", direction="egress", protocol="-1", cidr="::/0"))
    assert chain(script, "if_10_80_1_10_egress") == ["counter drop"]


def test_an_elastic_ip_is_translated_both_ways() -> None:
    script = text(elastic={"203.0.113.5": "10.80.1.21"})
    assert "dnat ip to ip daddr map { 203.0.113.5 : 10.80.1.21 }" in chain(script, "arriving")
    assert 'oifname "o-*" snat ip to ip saddr map { 10.80.1.21 : 203.0.113.5 }' in chain(
        script, "leaving"
    )


def test_link_local_services_are_beyond_security_groups_and_translation() -> None:
    service = Redirect("tcp", "169.254.169.254", 80, "198.51.100.1", 8080)
    script = text(services=(service,))
    accept = "ct original ip daddr { 169.254.169.254 } accept"
    assert accept in chain(script, "forward")
    assert accept in chain(script, "leaving")
    assert "ip daddr 169.254.169.254 tcp dport 80 dnat ip to 198.51.100.1:8080" in chain(
        script, "arriving"
    )


def test_the_same_picture_gives_the_same_script() -> None:
    one = text(elastic={"203.0.113.5": "10.80.1.21", "203.0.113.4": "10.80.1.10"})
    other = text(elastic={"203.0.113.4": "10.80.1.10", "203.0.113.5": "10.80.1.21"})
    assert one == other


def test_an_interface_without_groups_is_judged_by_the_other_side_alone() -> None:
    balancer = Interface(name="eni-c", address="10.80.1.30", prefix=24)
    script = render(Fence(vpc="10.80.0.0/16", interfaces=(MTA, balancer)), outside="o-*")
    assert chain(script, "if_10_80_1_30_ingress") == ["ip saddr 0.0.0.0/0 accept", "counter drop"]
    assert chain(script, "if_10_80_1_10_ingress") == ["counter drop"]
