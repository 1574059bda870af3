import pytest

from standins.pulumi.properties import UNKNOWN, Properties
from standins.pulumi.schema import function_arguments, resource_schema

INSTANCE = "aws:ec2/instance:Instance"


@pytest.mark.parametrize(
    ("properties", "path", "reason"),
    [
        ({"amii": "ami-1"}, "amii", "unknown property; did you mean 'ami'?"),
        (
            {"metadataOptions": {"httpToken": "required"}},
            "metadataOptions.httpToken",
            "unknown property; did you mean 'httpTokens'?",
        ),
        ({"monitoring": "maybe"}, "monitoring", "expected bool, got str"),
        ({"vpcSecurityGroupIds": "sg-1"}, "vpcSecurityGroupIds", "expected a list, got str"),
        ({"tags": ["a"]}, "tags", "expected an object, got list"),
        ({"ami": ["a"]}, "ami", "expected one value, got list"),
        (
            {"ebsBlockDevices": [{"volumeSize": 8}]},
            "ebsBlockDevices[0].deviceName",
            "Missing required property",
        ),
    ],
)
def test_what_the_real_sdk_does_not_take_is_refused(
    properties: Properties, path: str, reason: str
) -> None:
    refusals = resource_schema(INSTANCE).refusals(properties)
    assert [(each.path, each.reason) for each in refusals] == [(path, reason)]


def test_every_missing_required_property_is_named() -> None:
    refusals = resource_schema("aws:route53/record:Record").refusals({"ttl": 60})
    assert [each.path for each in refusals] == ["name", "type", "zoneId"]


def test_values_that_a_preview_does_not_know_pass() -> None:
    schema = resource_schema(INSTANCE)
    assert schema.refusals({"metadataOptions": UNKNOWN, "tags": {"a": UNKNOWN}}) == []


def test_numbers_and_booleans_may_come_as_text() -> None:
    assert (
        resource_schema("aws:ebs/volume:Volume").refusals(
            {"availabilityZone": "a", "size": "4", "encrypted": "true"}
        )
        == []
    )


def test_arguments_of_functions_come_from_the_sdk() -> None:
    assert "mostRecent" in function_arguments("aws:ec2/getAmi:getAmi")
    assert "opts" not in function_arguments("aws:ec2/getAmi:getAmi")
