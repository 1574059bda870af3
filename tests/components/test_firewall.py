"""Who may speak to whom."""

import re
from collections import Counter

import pytest

from components.firewall import BEGIN, END, HOUSE, rules, table, with_table
from tests.components import shapes
from tests.components.program import Program, Registration, run

# What EC2 takes as a description.
LEGAL = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
INTERNET = "0.0.0.0/0"
UPKEEP_OUT = {
    ("udp", 53, INTERNET),
    ("tcp", 53, INTERNET),
    ("udp", 123, INTERNET),
    ("tcp", 80, INTERNET),
    ("tcp", 443, INTERNET),
}


def allowed(program: Program, host: str, direction: str) -> set[tuple[str, int, str]]:
    """What the registered rules let through: protocol, port and peer."""
    kind = {"in": "SecurityGroupIngressRule", "out": "SecurityGroupEgressRule"}[direction]
    groups = {item.urn: item.name.rpartition("-")[2] for item in program.of_type("SecurityGroup")}

    def group(item: Registration, key: str) -> str:
        (urn,) = item.property_dependencies[key]
        return groups[urn]

    found = Counter(
        (
            item.inputs["ipProtocol"],
            int(item.inputs["fromPort"]),
            item.inputs.get("cidrIpv4") or group(item, "referencedSecurityGroupId"),
        )
        for item in program.of_type(kind)
        if group(item, "securityGroupId") == host
    )
    assert set(found.values()) == {1}
    return set(found)


def test_the_smallest_environment_has_exactly_this_table() -> None:
    program = shapes.program("minimal")
    operators = ("tcp", 22, "198.51.100.0/28")
    assert allowed(program, "mta", "in") == {
        ("tcp", 443, INTERNET),
        ("tcp", 25, INTERNET),
        operators,
    }
    assert allowed(program, "mta", "out") == {("tcp", 5000, "proxy"), *UPKEEP_OUT}
    assert allowed(program, "proxy", "in") == {("tcp", 5000, "mta"), operators}
    assert allowed(program, "proxy", "out") == {("tcp", 25, INTERNET), *UPKEEP_OUT}


def test_ports_of_further_proxies_and_of_the_webhook_open_with_the_settings() -> None:
    program = shapes.program("many-sources")
    assert allowed(program, "mta", "out") == {
        ("tcp", 5000, "proxy"),
        ("tcp", 5001, "proxy"),
        ("tcp", 8443, INTERNET),
        *UPKEEP_OUT,
    }
    assert allowed(program, "mta", "in") >= {
        ("tcp", 22, "198.51.100.0/28"),
        ("tcp", 22, "203.0.113.7/32"),
    }


def test_port_25_of_the_mta_is_closed_without_bounce_domains() -> None:
    program = run(shapes.MINIMAL | {"domains": []})
    assert ("tcp", 25, INTERNET) not in allowed(program, "mta", "in")


@pytest.mark.parametrize("automation", [False, True])
def test_several_nodes_reach_one_another_for_what_they_share_and_no_more(automation: bool) -> None:
    between = {("tcp", 8001, "mta"), *([("tcp", 8008, "mta")] if automation else [])}
    shaping = {"automation": automation}
    several = {"mta": {"nodes": 2}, "elasticIpQuota": 20, "shaping": shaping}
    one, two = (run(shapes.MINIMAL | more) for more in ({"shaping": shaping}, several))
    for direction, limits in (("in", set()), ("out", {("tcp", 6379, "limits")})):
        more = allowed(two, "mta", direction) - allowed(one, "mta", direction)
        assert more == between | limits
    assert allowed(two, "proxy", "in") == allowed(one, "proxy", "in")


@pytest.mark.parametrize("shape", shapes.NAMES)
def test_the_mta_never_connects_to_port_25_outside(shape: str) -> None:
    assert 25 not in {port for _, port, _ in allowed(shapes.program(shape), "mta", "out")}


@pytest.mark.parametrize("shape", shapes.NAMES)
def test_groups_have_no_inline_rules_and_rules_open_one_port_with_a_reason(shape: str) -> None:
    program = shapes.program(shape)
    for group in program.of_type("SecurityGroup"):
        assert not {"ingress", "egress"} & set(group.inputs)
    for kind in ("SecurityGroupIngressRule", "SecurityGroupEgressRule"):
        for rule in program.of_type(kind):
            assert rule.inputs["fromPort"] == rule.inputs["toPort"]
            assert LEGAL.fullmatch(rule.inputs["description"])
    for group in program.of_type("SecurityGroup"):
        assert LEGAL.fullmatch(group.inputs["description"])


def test_the_printed_table_has_a_row_for_each_rule() -> None:
    settings = shapes.settings("minimal")
    rows = table(rules(settings)).splitlines()[2:]
    assert len(rows) == len(rules(settings))


def test_the_readme_shows_the_table_of_the_smallest_environment() -> None:
    readme = (HOUSE / "README.md").read_text("utf-8")
    shown = readme.partition(BEGIN)[2].partition(END)[0]
    assert shown == table(rules(shapes.settings("dev"))), "run: make docs"
    assert with_table(readme) == readme


def test_a_readme_without_its_marks_is_refused() -> None:
    with pytest.raises(SystemExit, match="firewall: begin"):
        with_table("no table here")
