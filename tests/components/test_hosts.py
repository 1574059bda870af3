"""What hosts are allowed, and what keeps them, their addresses and their volumes in place."""

import json
from typing import Any

import pytest

from tests.components import shapes
from tests.components.program import Program, pushed, run
from tests.components.test_growth import difference


def policy(program: Program, name: str) -> list[dict[str, Any]]:
    """Statements of one IAM policy."""
    statements: list[dict[str, Any]] = json.loads(program.one("RolePolicy", name).inputs["policy"])[
        "Statement"
    ]
    return statements


def test_a_host_may_send_metrics_of_our_namespace_and_look_at_images_alone() -> None:
    for host in ("mta-1", "proxy-1"):
        metrics, images = policy(shapes.program("minimal"), f"mail-{host}-metrics")
        assert metrics["Action"] == "cloudwatch:PutMetricData"
        assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": "PING8/Mail"}}
        assert (images["Effect"], images["Action"]) == ("Allow", "ec2:DescribeImages")


def test_a_host_behind_a_balancer_may_also_look_at_its_targets() -> None:
    looks = policy(shapes.program("two-nodes"), "mail-mta-2-metrics")[-1]
    assert looks["Action"] == "elasticloadbalancing:DescribeTargetHealth"
    assert len(policy(shapes.program("two-nodes"), "mail-proxy-1-metrics")) == 2


def test_every_host_has_its_own_profile() -> None:
    instances = shapes.program("many-sources").of_type("Instance")
    profiles = {item.inputs["iamInstanceProfile"] for item in instances}
    assert profiles == {"mail-mta-1-profile", "mail-proxy-1-profile", "mail-proxy-2-profile"}


def test_certbot_may_change_the_challenges_of_its_two_names_alone() -> None:
    reads, change = policy(shapes.program("minimal"), "mail-certificate-dns-01-mta-1")
    assert reads["Action"] == ["route53:ListHostedZones", "route53:GetChange"]
    assert change["Action"] == "route53:ChangeResourceRecordSets"
    assert change["Resource"].startswith("arn:aws:route53:::hostedzone/Z")
    assert change["Condition"]["ForAllValues:StringEquals"] == {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
            "_acme-challenge.mta.mail.example.com",
            "_acme-challenge.mta-1.mail.example.com",
        ],
        "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
    }


def test_only_the_mta_host_may_answer_challenges() -> None:
    program = shapes.program("minimal")
    rule = program.one("RolePolicy", "mail-certificate-dns-01-mta-1")
    role = program.one("Role", "mail-mta-1-role")
    assert rule.property_dependencies["role"] == {role.urn}


def test_without_acme_no_host_may_change_dns() -> None:
    assert not shapes.program("outbox").of_type("ping8:mail:Certificate")


def test_no_policy_grants_more_than_one_kind_of_thing() -> None:
    for shape in shapes.NAMES:
        for item in shapes.program(shape).of_type("RolePolicy"):
            assert '"*:' not in item.inputs["policy"]
            assert ':*"' not in item.inputs["policy"]


def test_a_host_boots_only_after_its_route_to_the_internet_exists() -> None:
    program = shapes.program("minimal")
    instance = program.one("Instance", "mail-mta-1-instance")
    association = program.one("EipAssociation", "mail-address-mta-1-association")
    route = program.one("aws:ec2/route:Route", "mail-network-internet")
    rules = {item.urn for item in program.of_type("SecurityGroupEgressRule")}
    assert {association.urn, route.urn, *rules} <= instance.dependencies
    assert route.urn in association.dependencies


def test_zones_that_aws_adds_later_move_no_subnet() -> None:
    subnets = shapes.program("minimal").of_type("Subnet")
    assert all(item.ignore_changes == ("availabilityZone",) for item in subnets)
    network = {"availabilityZones": ["eu-central-1b", "eu-central-1c"]}
    chosen = run(shapes.MINIMAL | {"network": network}).of_type("Subnet")
    assert {item.name: item.inputs["availabilityZone"] for item in chosen} == {
        "mail-network-subnet-0": "eu-central-1b",
        "mail-network-subnet-1": "eu-central-1c",
    }
    assert all(item.ignore_changes == () for item in chosen)


def test_spool_and_logs_lie_on_volumes_of_the_size_and_speed_of_the_settings() -> None:
    mta = {"spoolGib": 400, "spoolIops": 6000, "spoolThroughput": 500, "logGib": 70}
    program = run(shapes.MINIMAL | {"mta": mta})
    spool = program.one("aws:ebs/volume:Volume", "mail-mta-1-spool").inputs
    logs = program.one("aws:ebs/volume:Volume", "mail-mta-1-logs").inputs
    assert (spool["size"], spool["iops"], spool["throughput"]) == (400, 6000, 500)
    assert logs["size"] == 70


def test_a_volume_that_grows_touches_itself_and_the_push_that_grows_its_file_system() -> None:
    after = run(shapes.MINIMAL | {"mta": {"spoolGib": 300}}, environment="minimal")
    added, removed, changed = difference(shapes.program("minimal"), after)
    assert (added, removed) == (set(), set())
    assert {"mail-mta-1-spool", "mail-release-mta-1-push"} <= changed
    push = after.one("Command", "mail-release-mta-1-push")
    assert pushed(push)["facts"]["sizes"] == {"spool": 300, "logs": 50}
    spool = after.one("aws:ebs/volume:Volume", "mail-mta-1-spool")
    assert spool.urn in push.property_dependencies["stdin"]


def test_a_volume_that_no_device_is_left_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than a host without one of its volumes."""
    monkeypatch.setattr("components.host._DEVICES", ("/dev/sdf",))
    with pytest.raises(ValueError, match="shorter"):
        run(shapes.MINIMAL, environment="minimal")


def test_protection_is_lifted_in_place_so_that_a_host_can_be_replaced() -> None:
    before = shapes.program("minimal")
    after = run(shapes.MINIMAL | {"protect": False}, environment="minimal")
    added, removed, changed = difference(before, after)
    assert (added, removed) == (set(), set())
    assert changed == {"mail-mta-1-instance", "mail-proxy-1-instance"}
    for instance in after.of_type("Instance"):
        old = before.one("Instance", instance.name).inputs
        assert instance.inputs == {**old, "disableApiTermination": False}
        assert instance.protect is False


@pytest.mark.parametrize("key", ["ami", "instanceType", "rootGib"])
def test_a_replaced_host_keeps_its_addresses_and_volumes(key: str) -> None:
    value = {"ami": "ami-0fedcba9876543210", "instanceType": "c7g.2xlarge", "rootGib": 40}[key]
    after = run(shapes.MINIMAL | {"mta": {key: value}}, environment="minimal")
    added, removed, changed = difference(shapes.program("minimal"), after)
    assert (added, removed) == (set(), set())
    assert changed <= {"mail-mta-1-instance", "mail-release-mta-1-push"}


def test_ubuntu_pro_and_another_release_are_other_images() -> None:
    def asked(**os: object) -> set[str]:
        program = run(shapes.MINIMAL | {"os": os})
        names = {str(call.args.get("name")) for call in program.invocations}
        return {name for name in names if name.startswith("/aws/service/canonical/")}

    tree = "/aws/service/canonical/ubuntu"
    assert asked() == {f"{tree}/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id"}
    assert asked(pro=True) == {f"{tree}/pro-server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id"}
    assert asked(release="24.04", pro=True) == {
        f"{tree}/pro-server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"
    }


def test_an_instance_type_that_the_table_lacks_gets_the_image_of_its_stated_processor() -> None:
    mta = {"instanceType": "x99g.large", "architecture": "arm64", "addressesPerInterface": 10}
    program = run(shapes.MINIMAL | {"mta": mta})
    asked = {str(call.args.get("name")) for call in program.invocations}
    assert any("/22.04/stable/current/arm64/" in name for name in asked)
    assert program.one("Instance", "mail-mta-1-instance").inputs["instanceType"] == "x99g.large"
