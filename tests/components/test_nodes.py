"""Several MTA hosts: what each gets, the way in, and what a change of their number touches."""

import functools
import itertools
import json
from typing import Any

import pytest

from policy.metrics import plan
from tests.components import cloud, shapes
from tests.components.cloud import public_address
from tests.components.program import Program, run
from tests.components.test_credentials import files
from tests.components.test_growth import difference

CONFIG = shapes.MINIMAL | {"elasticIpQuota": 30}


@functools.cache
def nodes(count: int, **mta: Any) -> Program:
    """The smallest environment with so many MTA hosts."""
    return run(CONFIG | {"mta": {"nodes": count, **mta}}, environment="nodes")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_node_has_its_own_of_everything_and_the_zones_alternate(count: int) -> None:
    program = nodes(count)
    hosts = [f"mta-{number}" for number in range(1, count + 1)]
    found = program.outputs["hosts"]
    assert {name for name, host in found.items() if host["role"] == "mta"} == {*hosts}
    for number, host in enumerate(hosts):
        subnet = program.one("Subnet", f"mail-network-subnet-{number % 2}")
        interface = program.one("NetworkInterface", f"mail-{host}-interface")
        assert interface.property_dependencies["subnetId"] == {subnet.urn}
        zones = {
            program.one("Volume", f"mail-{host}-{volume}").inputs["availabilityZone"]
            for volume in ("spool", "logs")
        }
        assert zones == {subnet.inputs["availabilityZone"]}
        pointer = program.one("EipDomainName", f"mail-address-{host}-ptr")
        assert pointer.inputs["domainName"] == f"{host}.mail.example.com"
    assert len({found[host]["address"] for host in hosts}) == count
    exchangers = [
        item.inputs["records"]
        for item in program.of_type("aws:route53/record:Record")
        if item.inputs["type"] == "MX"
    ]
    assert exchangers == [[f"10 {host}.mail.example.com" for host in hosts]]


def test_one_node_is_reached_by_its_own_address() -> None:
    program = nodes(1)
    record = program.one("aws:route53/record:Record", "mail-injection-a")
    address = public_address("mail-address-mta-1-eip")
    assert (record.inputs["records"], record.inputs["ttl"]) == ([address], 300)
    assert program.outputs["injection_addresses"] == [address]
    assert not [item for item in program if item.type.startswith("aws:lb/")]


@pytest.mark.parametrize("count", [2, 5])
def test_several_nodes_are_behind_a_balancer_that_passes_tls_and_addresses(count: int) -> None:
    program = nodes(count)
    balancer = program.one("LoadBalancer", "mail-injection-balancer")
    assert balancer.inputs["loadBalancerType"] == "network"
    assert balancer.inputs["enableCrossZoneLoadBalancing"] is True
    mappings = balancer.inputs["subnetMappings"]
    subnets = {item.urn for item in program.of_type("Subnet")}
    assert subnets <= balancer.property_dependencies["subnetMappings"]
    assert len({each["allocationId"] for each in mappings}) == 2
    listener = program.one("Listener", "mail-injection-listener")
    assert (listener.inputs["port"], listener.inputs["protocol"]) == (443, "TCP")
    group = program.one("TargetGroup", "mail-injection-hosts").inputs
    assert (group["targetType"], group["preserveClientIp"]) == ("ip", "true")
    assert group["healthCheck"]["path"] == "/healthz"
    assert group["targetHealthStates"] == [{"enableUnhealthyConnectionTermination": False}]
    targets = {item.inputs["targetId"] for item in program.of_type("TargetGroupAttachment")}
    hosts = program.outputs["hosts"].values()
    assert targets == {host["private_address"] for host in hosts if host["role"] == "mta"}
    record = program.one("aws:route53/record:Record", "mail-injection-a")
    assert len(record.inputs["aliases"]) == 1
    assert not {"records", "ttl"} & set(record.inputs)
    assert len(program.outputs["injection_addresses"]) == 2


def test_the_name_moves_to_the_balancer_after_every_release() -> None:
    program = nodes(2)
    record = program.one("aws:route53/record:Record", "mail-injection-a")
    assert {item.urn for item in program.of_type("Command")} <= record.dependencies


def test_a_release_reaches_one_node_after_the_other() -> None:
    program = nodes(5)
    pushes = [program.one("Command", f"mail-release-mta-{number}-push") for number in range(1, 6)]
    for earlier, later in itertools.pairwise(pushes):
        assert earlier.urn in later.dependencies


def touched_hosts(names: set[str]) -> set[str]:
    """The MTA hosts among names of resources, but for their place behind the balancer."""
    own = {name for name in names if not name.startswith("mail-injection-target-")}
    return {f"mta-{n}" for n in range(1, 9) for name in own if f"mta-{n}" in name}


PUSHES = {"mail-release-mta-1-push", "mail-release-mta-2-push"}


@pytest.mark.parametrize(("count", "zone"), [(2, 0), (5, 1)])
def test_another_node_only_adds_its_address_to_the_list_of_the_others(
    count: int, zone: int
) -> None:
    before, after = nodes(count), nodes(count + 1)
    added, removed, changed = difference(before, after)
    assert removed == set()
    assert touched_hosts(added) == {f"mta-{count + 1}"}
    mx = {name for name in changed if name.startswith("mail-dns-mx-")}
    alarms = {"dashboard", "mail-is-not-flowing", f"zone-lost-{zone}"}
    pushes = {f"mail-release-mta-{number + 1}-push" for number in range(count)}
    assert changed == mx | pushes | {f"mail-alarms-{name}" for name in alarms}
    # kumod reads it while it runs: nothing restarts.
    old, new = files(before), files(after)
    different = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    assert different == {"/opt/kumomta/etc/policy/data/nodes.json"}


def test_another_node_also_changes_whom_the_others_report_to_if_there_is_automation() -> None:
    config = CONFIG | {"shaping": {"automation": True}}
    old, new = (
        files(run(config | {"mta": {"nodes": count}}, environment="nodes")) for count in (2, 3)
    )
    data = "/opt/kumomta/etc/policy/data"
    different = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    # The second is read at kumod's start.
    assert different == {f"{data}/{name}" for name in
                         ("nodes.json", "automation.json", "shaping.toml")}  # fmt: skip


def test_the_second_node_brings_the_balancer_and_replaces_nothing() -> None:
    added, removed, changed = difference(nodes(1), nodes(2))
    assert removed == set()
    assert touched_hosts(added) == {"mta-2", "mta-1"}
    assert {name for name in added if "mta-1" in name} == {
        "mail-alarms-mta-1-shared-limits",
        "mail-injection-target-mta-1",
    }
    assert "mail-injection-balancer" in added
    assert {name for name in changed if "mta-1" in name} == {
        "mail-mta-1-metrics",
        "mail-release-mta-1-push",
    }
    assert "mail-injection-a" in changed


def test_a_removed_node_takes_only_its_own_along() -> None:
    added, removed, changed = difference(nodes(3), nodes(2))
    assert added == set()
    assert touched_hosts(removed) == {"mta-3"}
    assert {name for name in changed if touched_hosts({name})} == PUSHES


def test_a_larger_type_changes_the_instances_alone() -> None:
    added, removed, changed = difference(nodes(2), nodes(2, instanceType="c7g.2xlarge"))
    assert (added, removed) == (set(), set())
    assert changed == {"mail-mta-1-instance", "mail-mta-2-instance"}


def test_every_node_may_prove_the_injection_name_and_its_own() -> None:
    program = nodes(2)
    for host in ("mta-1", "mta-2"):
        policy = program.one("RolePolicy", f"mail-certificate-dns-01-{host}").inputs["policy"]
        (_, change) = json.loads(policy)["Statement"]
        names = change["Condition"]["ForAllValues:StringEquals"][
            "route53:ChangeResourceRecordSetsNormalizedRecordNames"
        ]
        assert names == [f"_acme-challenge.{each}.mail.example.com" for each in ("mta", host)]
        # The set of names differs from node to node, of which Let's Encrypt counts issues.
        script = files(program, host)["/usr/local/lib/ping8/certificate"]
        assert f"{host}.mail.example.com" in script
        assert "mta.mail.example.com" in script


def test_more_alarms_than_one_composite_takes_are_parts_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "_MOST_CHILDREN", 6)
    program = run(CONFIG | {"mta": {"nodes": 2}}, environment="nodes")
    found = {item.inputs["alarmName"]: item for item in program.of_type("CompositeAlarm")}
    whole = found.pop("ping8-nodes-mail-is-not-flowing")
    parts = {name: item for name, item in found.items() if "mail-is-not-flowing" in name}
    assert whole.inputs["alarmRule"] == " OR ".join(f'ALARM("{name}")' for name in sorted(parts))
    assert {item.urn for item in parts.values()} <= whole.dependencies
    assert max(item.inputs["alarmRule"].count("ALARM(") for item in parts.values()) == 6
    assert [item for item in parts.values() if item.inputs.get("alarmActions")] == []
    rules = "".join(item.inputs["alarmRule"] for item in parts.values())
    assert all(f'"ping8-nodes-mta-{number}-kumod-down"' in rules for number in (1, 2))


def test_a_dead_nodes_volumes_and_addresses_go_to_its_replacement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, known = nodes(2), cloud._hash

    def with_another_instance(text: str, length: int = 12) -> str:
        return known(f"another {text}" if text == "mail-mta-2-instance" else text, length)

    monkeypatch.setattr(cloud, "_hash", with_another_instance)
    after = run(CONFIG | {"mta": {"nodes": 2}}, environment="nodes")
    added, removed, changed = difference(before, after)
    assert (added, removed) == (set(), set())
    attachments = {"mail-mta-2-spool-attachment", "mail-mta-2-logs-attachment"}
    checks = {"mail-alarms-mta-2-system-check", "mail-alarms-mta-2-instance-check"}
    assert changed == attachments | checks | {"mail-release-mta-2-push"}
    for name in attachments:
        old, new = (program.one("VolumeAttachment", name) for program in (before, after))
        assert old.inputs["volumeId"] == new.inputs["volumeId"]
        assert old.inputs["instanceId"] != new.inputs["instanceId"]
