"""A network load balancer, its targets, and the alias that leads to it."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import (
    EIP,
    INTERFACE,
    RECORD,
    SUBNET,
    VPC,
    addresses,
    make_zone,
)
from standins.pulumi.tests.engine import Engine, Made, Refused, error_of
from standins.pulumi.tests.machine import RecordingHosts

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
GROUP = "aws:lb/targetGroup:TargetGroup"
TARGET = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
LISTENER = "aws:lb/listener:Listener"
CHECK = {
    "protocol": "HTTPS",
    "port": "443",
    "path": "/healthz",
    "matcher": "200",
    "interval": 10,
    "timeout": 9,
    "healthyThreshold": 2,
    "unhealthyThreshold": 2,
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A VPC with two subnets and an Elastic IP for each of them."""

    vpc: Made
    subnets: tuple[Made, ...]
    addresses: tuple[Made, ...]

    def balancer(self, **more: Any) -> dict[str, Any]:
        return {
            "loadBalancerType": "network",
            "enableCrossZoneLoadBalancing": True,
            "enableDeletionProtection": False,
            "subnetMappings": [
                {"subnetId": subnet.identity, "allocationId": address.identity}
                for subnet, address in zip(self.subnets, self.addresses, strict=True)
            ],
            "tags": {"stack": "test"},
            **more,
        }

    def group(self, **more: Any) -> dict[str, Any]:
        return {
            "vpcId": self.vpc.identity,
            "targetType": "ip",
            "port": 443,
            "protocol": "TCP",
            "preserveClientIp": "true",
            "healthCheck": CHECK,
            "targetHealthStates": [{"enableUnhealthyConnectionTermination": False}],
            **more,
        }


def _place(aws: Engine, *, zones: str = "ab", gateway: bool = True) -> Place:
    vpc = aws.create(VPC, "vpc", {"cidrBlock": "10.20.0.0/16"})
    if gateway:
        inputs = {"vpcId": vpc.identity}
        aws.create("aws:ec2/internetGateway:InternetGateway", "gateway", inputs)
    subnets = tuple(
        aws.create(
            SUBNET,
            f"subnet-{index}",
            {
                "vpcId": vpc.identity,
                "cidrBlock": f"10.20.{index}.0/24",
                "availabilityZone": f"eu-west-1{zone}",
            },
        )
        for index, zone in enumerate(zones)
    )
    addresses = tuple(aws.create(EIP, f"eip-{zone}", {"domain": "vpc"}) for zone in subnets)
    return Place(vpc=vpc, subnets=subnets, addresses=addresses)


@pytest.fixture
def place(aws: Engine) -> Place:
    return _place(aws)


def _everything(aws: Engine, place: Place) -> list[Made]:
    balancer = aws.create(BALANCER, "way-in", place.balancer())
    group = aws.create(GROUP, "hosts", place.group())
    target = {"targetGroupArn": group.identity, "targetId": "10.20.0.10", "port": 443}
    listener = {
        "loadBalancerArn": balancer.identity,
        "port": 443,
        "protocol": "TCP",
        "defaultActions": [{"type": "forward", "targetGroupArn": group.identity}],
    }
    return [
        balancer,
        group,
        aws.create(TARGET, "host", target),
        aws.create(LISTENER, "listener", listener),
    ]


def test_a_balancer_with_its_parts_reads_as_it_was_written_and_goes(
    aws: Engine, place: Place
) -> None:
    made = _everything(aws, place)
    for each in made:
        again = aws.read(each)
        assert again is not None
        assert again.inputs == each.inputs
        assert list(aws.diff(each, each.written()).diffs) == []
    for each in reversed(made):
        aws.delete(each)
    assert [aws.read(each) for each in made] == [None] * 4


def test_its_names_for_alarms_and_dns_are_those_of_its_arn(aws: Engine, place: Place) -> None:
    balancer, group, _, _ = _everything(aws, place)
    assert str(balancer.state["arnSuffix"]).startswith("net/way-in-")
    assert balancer.identity.endswith(f":loadbalancer/{balancer.state['arnSuffix']}")
    assert group.identity.endswith(f":{group.state['arnSuffix']}")
    assert str(group.state["arnSuffix"]).startswith("targetgroup/hosts-")


def test_protection_is_lifted_in_place_before_it_goes(aws: Engine, place: Place) -> None:
    made = aws.create(BALANCER, "way-in", place.balancer(enableDeletionProtection=True))
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(made)
    assert "because deletion protection is enabled" in error_of(caught)
    updated = aws.update(made, {**made.written(), "enableDeletionProtection": False})
    aws.delete(updated)


def test_a_target_group_in_use_stays(aws: Engine, place: Place) -> None:
    _, group, _, _ = _everything(aws, place)
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(group)
    assert "currently in use by a listener" in error_of(caught)


def test_a_target_that_was_taken_out_by_hand_is_gone(
    aws: Engine, service: Service, place: Place
) -> None:
    _, group, target, _ = _everything(aws, place)
    service.account.client("elbv2", "eu-west-1").deregister_targets(
        TargetGroupArn=group.identity, Targets=[{"Id": "10.20.0.10"}]
    )
    assert aws.read(target) is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"name": "internal-one"}, "not begin with internal-"),
        ({"name": "x" * 33}, "at most 32 characters"),
    ],
)
def test_a_name_that_aws_does_not_take_is_refused(
    aws: Engine, place: Place, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(BALANCER, "way-in", place.balancer(**more))
    assert message in error_of(caught)


def test_another_kind_of_balancer_is_refused(aws: Engine, place: Place) -> None:
    with pytest.raises(Refused, match="network load balancers alone"):
        aws.check(BALANCER, "way-in", place.balancer(loadBalancerType="application"))


def test_two_subnets_of_one_zone_are_refused(aws: Engine) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(BALANCER, "way-in", _place(aws, zones="aa").balancer())
    assert "multiple subnets in the same Availability Zone" in error_of(caught)


def test_a_balancer_needs_its_networks_gateway(aws: Engine) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(BALANCER, "way-in", _place(aws, gateway=False).balancer())
    assert "has no internet gateway" in error_of(caught)


def test_a_target_outside_of_the_network_is_refused(aws: Engine, place: Place) -> None:
    group = aws.create(GROUP, "hosts", place.group())
    target = {"targetGroupArn": group.identity, "targetId": "192.0.2.10", "port": 443}
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(TARGET, "host", target)
    assert "'192.0.2.10' is not in the VPC" in error_of(caught)


# The name


@pytest.fixture
def zone(service: Service) -> str:
    return make_zone(service, "mail.example.com")


def _alias(zone: str, balancer: Made, **more: Any) -> dict[str, Any]:
    target = {
        "name": balancer.state["dnsName"],
        "zoneId": balancer.state["zoneId"],
        "evaluateTargetHealth": False,
    }
    name = {"zoneId": zone, "name": "inject.mail.example.com", "type": "A"}
    return {**name, "aliases": [target | more]}


def test_a_record_becomes_an_alias_in_place_and_goes(aws: Engine, place: Place, zone: str) -> None:
    balancer = aws.create(BALANCER, "way-in", place.balancer())
    alias = _alias(zone, balancer)
    plain = {key: value for key, value in alias.items() if key != "aliases"}
    made = aws.create(RECORD, "a", {**plain, "records": ["192.0.2.1"], "ttl": 300})
    assert not list(aws.diff(made, alias).replaces)
    updated = aws.update(made, alias)
    again = aws.read(updated)
    assert again is not None
    assert again.inputs == updated.inputs
    assert not {"records", "ttl"} & {key for key, value in again.state.items() if value}
    aws.delete(updated)
    assert aws.read(updated) is None


def test_an_alias_of_no_balancer_is_refused(aws: Engine, place: Place, zone: str) -> None:
    balancer = aws.create(BALANCER, "way-in", place.balancer())
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(RECORD, "a", _alias(zone, balancer, name="gone.elb.amazonaws.com"))
    assert "but that target was not found" in error_of(caught)


def test_an_alias_has_no_values_of_its_own(aws: Engine, place: Place, zone: str) -> None:
    balancer = aws.create(BALANCER, "way-in", place.balancer())
    with pytest.raises(Refused, match="with neither records nor ttl"):
        aws.check(RECORD, "a", {**_alias(zone, balancer), "ttl": 300})


def test_other_records_are_published_while_a_balancer_lacks_its_addresses(
    aws: Engine, place: Place, service: Service, zone: str, hosts: RecordingHosts
) -> None:
    """The engine makes balancers, addresses and records side by side."""
    balancer = aws.create(BALANCER, "way-in", place.balancer())
    aws.create(RECORD, "inject", _alias(zone, balancer))
    (one, other) = (address.state["publicIp"] for address in place.addresses)
    service.account.client("ec2", "eu-west-1").disassociate_address(PublicIp=one)
    aws.create(
        RECORD, "a", {"zoneId": zone, "name": "a", "type": "A", "ttl": 300, "records": [one]}
    )
    (published,) = hosts.zones
    assert {record.name: record.values for record in published.records} == {
        "a.mail.example.com": (one,),
        "inject.mail.example.com": (other,),
    }


def test_a_balancer_takes_free_addresses(aws: Engine, place: Place, hosts: RecordingHosts) -> None:
    inputs = {"subnetId": place.subnets[0].identity, **addresses("10.20.0.4")}
    aws.create(INTERFACE, "host", inputs)
    aws.create(BALANCER, "way-in", place.balancer())
    assert hosts.network is not None
    held = [interface.address for interface in hosts.network.interfaces]
    assert sorted(held) == ["10.20.0.4", "10.20.0.5", "10.20.1.4"]


def test_other_records_are_published_while_a_balancer_and_its_subnets_go(
    aws: Engine,
    place: Place,
    service: Service,
    zone: str,
    hosts: RecordingHosts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    balancer = aws.create(BALANCER, "way-in", place.balancer())
    services = ("ec2", "elbv2")
    ec2, elb = (service.account.client(each, "eu-west-1", paced=False) for each in services)
    listed, balancers = ec2.describe_network_interfaces(), elb.describe_load_balancers()
    aws.delete(balancer)
    for subnet in place.subnets:
        aws.delete(subnet)
    monkeypatch.setattr(ec2, "describe_network_interfaces", lambda **_: listed)
    monkeypatch.setattr(elb, "describe_load_balancers", lambda: balancers)
    aws.create(
        RECORD,
        "a",
        {"zoneId": zone, "name": "a", "type": "A", "ttl": 300, "records": ["192.0.2.1"]},
    )
    (published,) = hosts.zones
    assert [record.name for record in published.records] == ["a.mail.example.com"]


def test_a_target_goes_while_its_balancer_does(
    aws: Engine, place: Place, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    balancer, _, target, listener = _everything(aws, place)
    elb = service.account.client("elbv2", "eu-west-1", paced=False)
    listed = elb.describe_load_balancers()
    aws.delete(listener)
    aws.delete(balancer)
    monkeypatch.setattr(elb, "describe_load_balancers", lambda: listed)
    aws.delete(target)
    assert aws.read(target) is None


def test_the_machine_balances_at_the_elastic_ips_and_the_alias_leads_there(
    aws: Engine, place: Place, service: Service, hosts: RecordingHosts
) -> None:
    balancer, *others = _everything(aws, place)
    assert hosts.balancer is not None
    assert hosts.balancer.targets == (("10.20.0.10", 443),)
    assert (hosts.balancer.path, hosts.balancer.seconds) == ("/healthz", 10)
    assert hosts.network is not None
    public = {address.state["publicIp"] for address in place.addresses}
    private = {interface.address for interface in hosts.balancer.interfaces}
    assert set(hosts.network.elastic) == public
    assert set(hosts.network.elastic.values()) == private
    assert not any(interface.groups for interface in hosts.balancer.interfaces)
    alias = {
        "zoneId": make_zone(service, "mail.example.com"),
        "name": "mta.mail.example.com",
        "type": "A",
        "aliases": [
            {
                "name": balancer.state["dnsName"],
                "zoneId": balancer.state["zoneId"],
                "evaluateTargetHealth": False,
            }
        ],
    }
    aws.create(RECORD, "alias", alias)
    (zone,) = hosts.zones
    assert {v for r in zone.records if r.name == "mta.mail.example.com" for v in r.values} == public
    for made in reversed(others):
        aws.delete(made)
    aws.delete(balancer)
    assert hosts.balancer is None
