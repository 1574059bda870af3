"""What AWS's models and documentation reject is rejected, in AWS's words."""

from typing import Any

import grpc
import pytest
from botocore.exceptions import ClientError

from standins.pulumi.aws.strict import rules
from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import EGRESS, INGRESS, Site, make_site
from standins.pulumi.tests.engine import Engine, error_of


@pytest.fixture
def site(aws: Engine) -> Site:
    return make_site(aws)


def _rejected(service: Service, name: str, operation: str, **arguments: Any) -> str:
    client = service.account.client(name, "eu-west-1")
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    return str(caught.value)


@pytest.mark.parametrize("kind", [INGRESS, EGRESS])
@pytest.mark.parametrize("text", ["PING8's webhook", "Grüße", "x" * 256])
def test_a_rule_says_what_for_in_a_few_characters(
    aws: Engine, site: Site, kind: str, text: str
) -> None:
    inputs = {
        "securityGroupId": site.group.identity,
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "cidrIpv4": "0.0.0.0/0",
        "description": text,
    }
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(kind, "rule", inputs)
    assert "InvalidParameterValue: Invalid rule description. Valid" in error_of(caught)
    aws.create(kind, "rule", {**inputs, "description": "packages, AWS and the webhook"})


@pytest.mark.parametrize(
    ("service_name", "operation", "arguments", "said"),
    [
        (
            "iam",
            "create_role",
            {"RoleName": "a/b", "AssumeRolePolicyDocument": "{}"},
            "Value at 'RoleName' failed to satisfy constraint: Member must satisfy regular",
        ),
        (
            "iam",
            "create_role",
            {
                "RoleName": "a",
                "AssumeRolePolicyDocument": "{}",
                "Tags": [{"Key": "Name", "Value": "it's"}],
            },
            "Value at 'Tags.1.Value' failed",
        ),
        (
            "secretsmanager",
            "create_secret",
            {"Name": "x" * 513, "SecretString": "s"},
            "Value at 'Name' failed to satisfy constraint: Member must have length less than or"
            " equal to 512",
        ),
        (
            "cloudwatch",
            "put_metric_alarm",
            {"AlarmName": "a", "ComparisonOperator": "Above", "EvaluationPeriods": 1},
            "Member must satisfy enum value set: [GreaterThanOrEqualToThreshold",
        ),
    ],
)
def test_a_value_that_the_model_does_not_allow(
    service: Service, service_name: str, operation: str, arguments: dict[str, Any], said: str
) -> None:
    text = _rejected(service, service_name, operation, **arguments)
    assert "(ValidationError)" in text
    assert said in text


def test_values_stay_out_of_messages(service: Service) -> None:
    secret = "hunter2" * 10000
    text = _rejected(service, "secretsmanager", "create_secret", Name="ping8", SecretString=secret)
    assert "'SecretString' failed" in text
    assert "hunter2" not in text


_GOOD_AND_BAD: dict[str, tuple[Any, Any]] = {
    "Invalid rule description": ("packages (AWS)", "AWS's"),
    "Invalid security group description": ("hosts", "it's"),
    "Invalid security group name": ("mail", "sg-1"),
    "Invalid description": ("x", "x" * 256),
    "Tag key": ("Name", "aws:name"),
    "Tag value": ("x", "x" * 257),
    "The TagValue": ("mail-1", "it's"),
    "The specified bucket": ("example-logs", "Example_Logs"),
    "Volume iops": (80000, 80001),
    "Volume throughput": (2000, 2001),
    "Volume size": (65536, 65537),
    "The load balancer name": ("mail-1", "internal-mail"),
    "The parameter ReplicationGroupId": ("mail-1", "mail--1"),
    "Passwords length": ("x" * 16, "x" * 15),
}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.message[:24])
def test_each_rule_allows_and_rejects(rule: Any) -> None:
    (pair,) = (pair for said, pair in _GOOD_AND_BAD.items() if rule.message.startswith(said))
    assert rule.allows(pair[0])
    assert not rule.allows(pair[1])
    assert rule.source.startswith("https://docs.aws.amazon.com/")
