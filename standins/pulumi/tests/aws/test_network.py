import grpc
import pytest

from standins.pulumi.hosts import Rule
from standins.pulumi.properties import UNKNOWN
from standins.pulumi.tests.aws.site import (
    EGRESS,
    GROUP,
    INGRESS,
    INTERFACE,
    PRIMARY,
    SECONDARY,
    SUBNET,
    VPC,
    addresses,
    make_site,
)
from standins.pulumi.tests.engine import Engine, Refused, error_of
from standins.pulumi.tests.machine import RecordingHosts


def test_an_unchanged_resource_has_no_difference_after_a_refresh(aws: Engine) -> None:
    site = make_site(aws)
    for made in (site.vpc, site.subnet, site.group, site.interface):
        again = aws.read(made)
        assert again is not None
        assert again.inputs == made.inputs


def test_default_tags_are_only_in_tags_all(aws: Engine) -> None:
    aws.configure(region="eu-west-1", defaultTags='{"tags": {"environment": "test"}}')
    made = aws.create(VPC, "vpc", {"cidrBlock": "10.20.0.0/16", "tags": {"Name": "mail"}})
    assert made.state["tags"] == {"Name": "mail"}
    assert made.state["tagsAll"] == {"Name": "mail", "environment": "test"}


def test_changed_tags_update_in_place(aws: Engine) -> None:
    made = aws.create(VPC, "vpc", {"cidrBlock": "10.20.0.0/16", "tags": {"a": "1", "b": "2"}})
    news = {"cidrBlock": "10.20.0.0/16", "tags": {"a": "3"}}
    assert list(aws.diff(made, news).replaces) == []
    assert aws.update(made, news).state["tagsAll"] == {"a": "3"}


def test_another_range_replaces_a_vpc(aws: Engine) -> None:
    made = aws.create(VPC, "vpc", {"cidrBlock": "10.20.0.0/16"})
    assert list(aws.diff(made, {"cidrBlock": "10.21.0.0/16"}).replaces) == ["cidrBlock"]


def test_what_a_resource_gets_from_another_one_is_unknown_in_a_preview(aws: Engine) -> None:
    state = aws.preview(SUBNET, "subnet", {"vpcId": UNKNOWN, "cidrBlock": "10.20.1.0/24"})
    assert state["arn"] is UNKNOWN
    assert state["cidrBlock"] == "10.20.1.0/24"


def test_an_unknown_input_counts_as_changed(aws: Engine) -> None:
    made = make_site(aws).subnet
    news = made.written(vpcId=UNKNOWN)
    assert list(aws.diff(made, news).replaces) == ["vpcId"]


def test_a_generated_name_stays_over_later_runs(aws: Engine) -> None:
    group = make_site(aws).group
    assert group.state["name"].startswith("group-")
    news = {"vpcId": group.inputs["vpcId"], "description": "hosts"}
    assert aws.check(GROUP, "group", news, group.inputs)["name"] == group.state["name"]


def test_a_given_name_is_freed_before_its_replacement_takes_it(aws: Engine) -> None:
    vpc = make_site(aws).vpc.identity
    made = aws.create(GROUP, "named", {"vpcId": vpc, "name": "mail", "description": "one"})
    changed = aws.diff(made, {"vpcId": vpc, "name": "mail", "description": "two"})
    assert list(changed.replaces) == ["description"]
    assert changed.deleteBeforeReplace


def test_a_group_starts_without_any_rule(aws: Engine, hosts: RecordingHosts) -> None:
    make_site(aws)
    assert hosts.network is not None
    assert hosts.network.rules == ()


def test_rules_are_put_into_force(aws: Engine, hosts: RecordingHosts) -> None:
    group = make_site(aws).group.identity
    tcp = {"securityGroupId": group, "ipProtocol": "tcp"}
    ssh = {**tcp, "fromPort": 22, "toPort": 22, "cidrIpv4": "198.51.100.1/32"}
    socks = {**tcp, "fromPort": 5000, "toPort": 5000, "referencedSecurityGroupId": group}
    made = aws.create(INGRESS, "ssh", ssh)
    aws.create(EGRESS, "socks", socks)
    assert hosts.network is not None
    expected = {
        Rule(
            group=group,
            direction="ingress",
            protocol="tcp",
            from_port=22,
            to_port=22,
            cidr="198.51.100.1/32",
        ),
        Rule(
            group=group,
            direction="egress",
            protocol="tcp",
            from_port=5000,
            to_port=5000,
            peer_group=group,
        ),
    }
    assert set(hosts.network.rules) == expected
    aws.delete(made)
    assert {rule.direction for rule in hosts.network.rules} == {"egress"}


@pytest.mark.parametrize("description", ["PING8's webhook", "a|b", "ä", "x" * 256])
def test_a_description_that_aws_rejects_is_rejected(aws: Engine, description: str) -> None:
    group = make_site(aws).group.identity
    rule = {"securityGroupId": group, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22}
    rule |= {"cidrIpv4": "198.51.100.1/32"}
    wrong = "InvalidParameterValue: Invalid rule description"
    for kind in (INGRESS, EGRESS):
        with pytest.raises(grpc.RpcError, match=wrong):
            aws.create(kind, "rule", rule | {"description": description})
    with pytest.raises(grpc.RpcError, match="InvalidParameterValue"):
        aws.create(GROUP, "other", {"vpcId": "vpc-1", "description": description})
    made = aws.create(INGRESS, "rule", rule | {"description": "a. _-:/()#,@[]+=&;{}!$*Z9"})
    with pytest.raises(grpc.RpcError, match=wrong):
        aws.update(made, rule | {"description": description})


def test_a_changed_rule_is_changed_in_place(aws: Engine, hosts: RecordingHosts) -> None:
    group = make_site(aws).group.identity
    rule = {"securityGroupId": group, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22}
    made = aws.create(INGRESS, "ssh", {**rule, "cidrIpv4": "198.51.100.1/32"})
    news = {**rule, "cidrIpv4": "198.51.100.2/32"}
    assert list(aws.diff(made, news).replaces) == []
    aws.update(made, news)
    assert hosts.network is not None
    assert [each.cidr for each in hosts.network.rules] == ["198.51.100.2/32"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"ipProtocol": "tcp", "fromPort": 1, "toPort": 1}, "exactly one of"),
        ({"ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/8"}, "fromPort: required with toPort"),
        (
            {"ipProtocol": "-1", "fromPort": 1, "cidrIpv4": "10.0.0.0/8"},
            "fromPort: not allowed when ipProtocol is -1",
        ),
    ],
)
def test_a_rule_that_means_nothing_is_refused(
    aws: Engine, inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        aws.check(INGRESS, "rule", {"securityGroupId": "sg-1", **inputs})


def test_inline_rules_are_refused(aws: Engine) -> None:
    rule = {"protocol": "tcp", "fromPort": 1, "toPort": 1}
    with pytest.raises(Refused, match="ingress: not known to the sandbox"):
        aws.check(GROUP, "group", {"ingress": [rule]})


@pytest.mark.parametrize("part", ["group", "subnet", "vpc"])
def test_what_is_in_use_cannot_be_deleted(aws: Engine, part: str) -> None:
    site = make_site(aws)
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(getattr(site, part))
    assert "DependencyViolation" in error_of(caught)


def test_a_group_that_a_rule_names_cannot_be_deleted(aws: Engine) -> None:
    vpc = make_site(aws).vpc.identity
    one, two = (
        aws.create(GROUP, name, {"vpcId": vpc, "description": name}) for name in ("one", "two")
    )
    rule = {"securityGroupId": two.identity, "referencedSecurityGroupId": one.identity}
    aws.create(INGRESS, "socks", {**rule, "ipProtocol": "tcp", "fromPort": 1, "toPort": 1})
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(one)
    assert "DependencyViolation" in error_of(caught)


def test_an_interface_reaches_the_machine_with_both_addresses(
    aws: Engine, hosts: RecordingHosts
) -> None:
    site = make_site(aws)
    assert hosts.network is not None
    assert hosts.network.vpc == "10.20.0.0/16"
    (interface,) = hosts.network.interfaces
    assert interface.name == site.interface.identity
    assert interface.addresses == (PRIMARY, SECONDARY)
    assert interface.groups == {site.group.identity}


def test_an_interface_gains_an_address_in_place(aws: Engine, hosts: RecordingHosts) -> None:
    interface = make_site(aws).interface
    news = interface.written(**addresses(PRIMARY, SECONDARY, "10.20.1.12"))
    assert list(aws.diff(interface, news).replaces) == []
    aws.update(interface, news)
    assert hosts.network is not None
    assert hosts.network.interfaces[0].secondary == (SECONDARY, "10.20.1.12")


def test_what_vanished_outside_is_gone_after_a_refresh(aws: Engine) -> None:
    site = make_site(aws)
    aws.delete(site.interface)
    assert aws.read(site.interface) is None


def test_an_unknown_type_is_named(aws: Engine) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        aws.check("aws:rds/instance:Instance", "db", {})
    assert error_of(caught) == "the sandbox's aws provider has no aws:rds/instance:Instance"


def test_what_the_interface_does_not_know_is_refused(aws: Engine) -> None:
    with pytest.raises(Refused, match="attachments: not known to the sandbox"):
        aws.check(
            INTERFACE,
            "eni",
            {"subnetId": "s", "attachments": [{"instance": "i", "deviceIndex": 1}]},
        )
