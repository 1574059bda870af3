import grpc
import pytest

from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import RECORD, make_zone
from standins.pulumi.tests.engine import Engine, Refused, error_of


def test_canonicals_parameter_names_an_image_that_exists(aws: Engine, service: Service) -> None:
    name = "/aws/service/canonical/ubuntu/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id"
    found = aws.invoke("aws:ssm/getParameter:getParameter", name=name)
    ec2 = service.account.client("ec2", "eu-west-1")
    (image,) = ec2.describe_images(ImageIds=[found["insecureValue"]])["Images"]
    assert image["Architecture"] == "arm64"


def test_zones_are_those_of_the_region(aws: Engine) -> None:
    found = aws.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", state="available")
    assert found["names"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]


def test_an_unknown_argument_is_refused(aws: Engine) -> None:
    with pytest.raises(Refused, match="filterss: unknown argument; did you mean 'filters'"):
        aws.invoke("aws:ec2/getEips:getEips", filterss=[])
    with pytest.raises(Refused, match="filters: not known to the sandbox"):
        aws.invoke("aws:ec2/getEips:getEips", filters=[])


def test_what_a_zone_holds_already(aws: Engine, service: Service) -> None:
    zone = make_zone(service, "example.com")
    inputs = {"zoneId": zone, "name": "_dmarc.example.com", "type": "TXT", "ttl": 60}
    aws.create(RECORD, "txt", {**inputs, "records": ["v=DMARC1; p=none"]})
    found = aws.invoke("aws:route53/getRecords:getRecords", zoneId=zone)
    held = {(item["name"], item["type"]) for item in found["resourceRecordSets"]}
    assert held >= {("example.com.", "NS"), ("_dmarc.example.com.", "TXT")}


def test_two_zones_of_one_name_are_distinguished_by_their_ids(
    aws: Engine, service: Service
) -> None:
    make_zone(service, "example.com")
    wanted = make_zone(service, "example.com")
    with pytest.raises(grpc.RpcError) as caught:
        aws.invoke("aws:route53/getZone:getZone", name="example.com")
    assert "multiple Route 53 Hosted Zones matched" in error_of(caught)
    found = aws.invoke("aws:route53/getZone:getZone", zoneId=wanted)
    assert found["name"] == "example.com"


def test_quotas_and_offers(aws: Engine) -> None:
    quota = aws.invoke(
        "aws:servicequotas/getServiceQuota:getServiceQuota",
        serviceCode="ec2",
        quotaCode="L-0263D0A3",
    )
    assert quota["value"] == 5
    offers = aws.invoke(
        "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings",
        locationType="availability-zone",
        filters=[{"name": "instance-type", "values": ["t4g.small"]}],
    )
    assert ("t4g.small", "eu-west-1a") in zip(
        offers["instanceTypes"], offers["locations"], strict=True
    )
