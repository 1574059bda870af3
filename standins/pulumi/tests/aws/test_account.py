"""What an account already has, and where AWS is slow."""

from typing import Any

import grpc
import pytest
from botocore.exceptions import ClientError

from standins.pulumi.aws.account import Coalesced
from standins.pulumi.aws.conditions import Conditions, Pace
from standins.pulumi.errors import ProviderError
from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import (
    ASSOCIATION,
    EIP,
    INSTANCE,
    INTERFACE,
    POINTER,
    PRIMARY,
    RECORD,
    SECONDARY,
    SUBNET,
    Site,
    addresses,
    instance_inputs,
    make_site,
    make_zone,
)
from standins.pulumi.tests.engine import Engine, error_of

GATEWAY = "aws:ec2/internetGateway:InternetGateway"
BUCKET = "aws:s3/bucket:Bucket"
SECRET = "aws:secretsmanager/secret:Secret"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"


@pytest.fixture
def conditions(service: Service) -> Conditions:
    return service.account.conditions


@pytest.fixture
def site(aws: Engine) -> Site:
    return make_site(aws)


def _fails(aws: Engine, kind: str, inputs: dict[str, Any]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(kind, "refused", inputs)
    return error_of(caught)


def test_a_region_has_five_elastic_ips(aws: Engine) -> None:
    for number in range(5):
        aws.create(EIP, f"eip-{number}", {"domain": "vpc"})
    assert _fails(aws, EIP, {"domain": "vpc"}).endswith(
        "api error AddressLimitExceeded: The maximum number of addresses has been reached."
    )


def test_running_instances_use_up_vcpus(aws: Engine, site: Site, conditions: Conditions) -> None:
    conditions.vcpus = 3
    aws.create(INSTANCE, "first", instance_inputs(site))
    second = aws.create(INTERFACE, "second", {"subnetId": site.subnet.identity})
    inputs = instance_inputs(site)
    inputs["primaryNetworkInterface"] = {"networkInterfaceId": second.identity}
    assert "VcpuLimitExceeded: You have requested more vCPU capacity" in _fails(
        aws, INSTANCE, inputs
    )


def test_a_zone_may_not_offer_an_instance_type(service: Service) -> None:
    aws = Engine(service.endpoints.aws)
    aws.configure(region="us-east-1")
    vpc = aws.create("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"})
    where = {"vpcId": vpc.identity, "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1e"}
    subnet = aws.create(SUBNET, "subnet", where)
    eni = aws.create(INTERFACE, "eni", {"subnetId": subnet.identity})
    inputs = {
        "ami": "ami-05a2db0c20260801b",
        "instanceType": "t4g.small",
        "primaryNetworkInterface": {"networkInterfaceId": eni.identity},
    }
    said = _fails(aws, INSTANCE, inputs)
    aws.close()
    assert (
        "Unsupported: Your requested instance type (t4g.small) is not supported in your requested"
        " Availability Zone (us-east-1e)." in said
    )


def test_a_private_address_belongs_to_one_interface(aws: Engine, site: Site) -> None:
    for address in (PRIMARY, SECONDARY):
        inputs = {"subnetId": site.subnet.identity, **addresses(address)}
        said = _fails(aws, INTERFACE, inputs)
        assert f"InvalidIPAddress.InUse: Address {address} is in use." in said
    there = {"subnetId": site.subnet.identity, **addresses("10.20.1.20")}
    other = aws.create(INTERFACE, "other", there)
    with pytest.raises(grpc.RpcError) as caught:
        aws.update(other, other.written(**addresses("10.20.1.20", SECONDARY)))
    assert f"[{SECONDARY}] has been assigned, but move is not allowed." in error_of(caught)


def test_a_reverse_record_waits_until_the_name_is_public(
    aws: Engine, service: Service, conditions: Conditions
) -> None:
    conditions.public_after = 2
    eip = aws.create(EIP, "eip", {"domain": "vpc"})
    zone = make_zone(service, "mail.example.com")
    record = {"zoneId": zone, "name": "out.mail.example.com", "type": "A", "ttl": 60}
    aws.create(RECORD, "a", {**record, "records": [eip.state["publicIp"]]})
    pointer = {"allocationId": eip.identity, "domainName": "out.mail.example.com"}
    for _ in range(2):
        assert "does not resolve to the IP address" in _fails(aws, POINTER, pointer)
    made = aws.create(POINTER, "ptr", pointer)
    assert made.state["ptrRecord"] == "out.mail.example.com."


def test_a_new_profile_is_unknown_at_first_and_the_provider_asks_again(
    aws: Engine, site: Site, conditions: Conditions
) -> None:
    conditions.known_after = 3
    aws.create(PROFILE, "profile", {"name": "hosts"})
    aws.create(INSTANCE, "host", instance_inputs(site, iamInstanceProfile="hosts"))
    conditions.known_after = 99
    conditions.refused.clear()
    fresh = aws.create(INTERFACE, "fresh", {"subnetId": site.subnet.identity})
    inputs = instance_inputs(site, iamInstanceProfile="hosts")
    inputs["primaryNetworkInterface"] = {"networkInterfaceId": fresh.identity}
    assert "Invalid IAM Instance Profile name" in _fails(aws, INSTANCE, inputs)


def test_a_gateway_stays_while_addresses_lead_through_it(aws: Engine, site: Site) -> None:
    gateway = aws.create(GATEWAY, "gateway", {"vpcId": site.vpc.identity})
    eip = aws.create(EIP, "eip", {"domain": "vpc"})
    association = aws.create(
        ASSOCIATION,
        "association",
        {"allocationId": eip.identity, "networkInterfaceId": site.interface.identity},
    )
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(gateway)
    assert "DependencyViolation: Network" in error_of(caught)
    aws.delete(association)
    aws.delete(gateway)


def test_a_secret_keeps_its_name_for_its_recovery_window(aws: Engine) -> None:
    kept = aws.create(SECRET, "kept", {"name": "ping8/token", "recoveryWindowInDays": 7})
    aws.delete(kept)
    assert "already scheduled for deletion" in _fails(aws, SECRET, {"name": "ping8/token"})
    gone = aws.create(SECRET, "gone", {"name": "ping8/other", "recoveryWindowInDays": 0})
    aws.delete(gone)
    aws.create(SECRET, "again", {"name": "ping8/other"})


def test_a_bucket_with_objects_stays_unless_it_is_forced(aws: Engine, service: Service) -> None:
    bucket = aws.create(BUCKET, "logs", {"bucket": "example-logs"})
    service.account.client("s3", "eu-west-1").put_object(
        Bucket="example-logs", Key="segment", Body=b"{}"
    )
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(bucket)
    assert "BucketNotEmpty: The bucket you tried to delete is not empty" in error_of(caught)
    aws.delete(aws.update(bucket, bucket.written(forceDestroy=True)))


def _alarm(**more: Any) -> dict[str, Any]:
    return {
        "comparisonOperator": "GreaterThanThreshold",
        "evaluationPeriods": 1,
        "metricName": "Queue",
        "namespace": "PING8/Mail",
        "period": 60,
        "statistic": "Maximum",
        "threshold": 1,
        **more,
    }


def test_a_composite_alarm_has_a_hundred_children(aws: Engine) -> None:
    rule = " OR ".join(f'ALARM("a{number}")' for number in range(101))
    said = _fails(aws, COMPOSITE, {"alarmName": "all", "alarmRule": rule})
    assert "has 101 children alarms; at most 100 are allowed" in said


def test_missing_data_that_counts_as_a_breach_raises_the_alarm_at_once(
    aws: Engine, service: Service
) -> None:
    watch = service.account.client("cloudwatch", "eu-west-1")
    aws.create(ALARM, "a", _alarm(name="silent", treatMissingData="breaching"))
    aws.create(ALARM, "b", _alarm(name="patient", treatMissingData="missing"))
    watch.put_metric_data(
        Namespace="PING8/Mail", MetricData=[{"MetricName": "Heartbeat", "Value": 1}]
    )
    heard = _alarm(name="heard", metricName="Heartbeat", treatMissingData="breaching")
    aws.create(ALARM, "c", heard)
    states = {
        alarm["AlarmName"]: alarm["StateValue"] for alarm in watch.describe_alarms()["MetricAlarms"]
    }
    assert states["silent"] == "ALARM"
    assert "ALARM" not in (states["patient"], states["heard"])


def test_the_provider_asks_again_when_it_is_throttled(
    aws: Engine, service: Service, conditions: Conditions
) -> None:
    conditions.throttles_every = 2
    aws.create(EIP, "eip", {"domain": "vpc"})
    conditions.throttles_every = 1
    with pytest.raises(ClientError, match=r"\(Throttling\).*Rate exceeded"):
        service.account.client("ec2", "eu-west-1").describe_addresses()


def test_route_53_takes_so_many_requests_a_second() -> None:
    waits: list[float] = []
    pace = Pace(clock=lambda: 100.0, sleep=waits.append)
    for _ in range(6):
        pace(5)
    assert waits == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    pace(0)
    assert len(waits) == 6


def test_an_effect_that_failed_is_reported_and_tried_again() -> None:
    results = iter([ProviderError("no network"), None])

    def effect() -> None:
        failure = next(results)
        if failure is not None:
            raise failure

    coalesced = Coalesced(effect)
    with pytest.raises(ProviderError, match="no network"):
        coalesced()
    coalesced()
