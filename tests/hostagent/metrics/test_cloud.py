"""What AWS says of a host's image and of the alarms' topic, by the answers of its own models."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import boto3
import moto
import pytest

from hostagent import cloud
from hostagent.metrics.cloudwatch import Credentials, SendError
from tests.hostagent.metrics.aws import Front, signature

KEYS = Credentials("A", "S", "T")
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ping8-prod-alarms"
IMAGES = "<DescribeImagesResponse><imagesSet>{}</imagesSet></DescribeImagesResponse>"
AVAILABLE = IMAGES.format("<item><imageId>ami-1</imageId><imageState>available</imageState></item>")
COUNTS = (
    "<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes>"
    "<entry><key>SubscriptionsPending</key><value>1</value></entry>"
    "<entry><key>SubscriptionsConfirmed</key><value>2</value></entry>"
    "<entry><key>SubscriptionsDeleted</key><value>0</value></entry>"
    "</Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>"
)


def refused(code: str) -> tuple[int, str]:
    return 400, f"<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>"


def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
    ec2: tuple[int, str] = (200, AVAILABLE),
    sns: tuple[int, str] = (200, COUNTS),
    targets: tuple[int, str] = (200, ""),
) -> tuple[dict[str, Any], list[Mapping[str, str]]]:
    asked: list[Mapping[str, str]] = []

    def ask(
        service: str, region: str, fields: Mapping[str, str], keys: Credentials
    ) -> tuple[int, str]:
        assert (region, keys) == ("eu-central-1", KEYS)
        asked.append(fields)
        return {"ec2": ec2, "sns": sns, "elasticloadbalancing": targets}[service]

    monkeypatch.setattr(cloud, "ask", ask)
    monkeypatch.setattr(cloud, "credentials", lambda **_: KEYS)
    monkeypatch.setattr(cloud, "image", lambda **_: "ami-own")
    assert cloud.run(["--region", "eu-central-1", *arguments]) == 0
    return json.loads(capsys.readouterr().out), asked


def test_the_instances_own_image_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, asked = run(monkeypatch, capsys)
    assert found == {"image": {"id": "ami-own", "state": "available"}}
    assert asked == [{"Action": "DescribeImages", "ImageId.1": "ami-own"}]
    found, _ = run(monkeypatch, capsys, "--image", "ami-2")
    assert found["image"]["id"] == "ami-2"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refused("InvalidAMIID.NotFound"), {"state": "gone"}),
        (refused("InvalidAMIID.Unavailable"), {"state": "gone"}),
        ((200, IMAGES.format("")), {"state": "gone"}),
        ((200, AVAILABLE.replace("available", "deregistered")), {"state": "deregistered"}),
        (refused("UnauthorizedOperation"), {"error": "UnauthorizedOperation"}),
        ((503, "Service  Unavailable\n"), {"error": "Service Unavailable"}),
    ],
)
def test_an_image_is_gone_only_if_aws_says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: tuple[int, str],
    expected: dict[str, str],
) -> None:
    found, _ = run(monkeypatch, capsys, ec2=answer)
    assert found["image"] == {"id": "ami-own", **expected}


def test_subscriptions_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, asked = run(monkeypatch, capsys, "--topic", TOPIC)
    assert found["topic"] == {"pending": 1, "confirmed": 2}
    assert asked[1] == {"Action": "GetTopicAttributes", "TopicArn": TOPIC}
    found, _ = run(monkeypatch, capsys, "--topic", TOPIC, sns=refused("AuthorizationError"))
    assert found["topic"] == {"error": "AuthorizationError"}


def test_a_host_without_a_role_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(**_: float) -> Credentials:
        raise SendError("the instance has no role; see its instance profile")

    monkeypatch.setattr(cloud, "credentials", none)
    assert cloud.run(["--region", "eu-central-1"]) == 1
    assert capsys.readouterr().err == "ping8: the instance has no role; see its instance profile\n"


def test_calls_are_signed_as_awss_own_library_signs_them_and_answered(
    front: Front, moto: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def client(service: Literal["ec2", "sns"]) -> Any:
        return boto3.client(
            service,
            region_name="eu-central-1",
            endpoint_url=f"http://127.0.0.1:{moto}",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    topic = client("sns").create_topic(Name="ping8-test-cloud-alarms")["TopicArn"]
    image = client("ec2").describe_images()["Images"][0]["ImageId"]
    monkeypatch.setattr(cloud, "credentials", lambda **_: KEYS)
    monkeypatch.setattr(cloud, "ask", partial(cloud.ask, port=front.port))
    options = ["--region", "eu-central-1", "--topic", topic, "--image"]
    assert cloud.run([*options, image]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "image": {"id": image, "state": "available"},
        "topic": {"pending": 0, "confirmed": 0},
    }
    for service, request, body in zip(("ec2", "sns"), front.requests, front.bodies, strict=True):
        assert request[2]["Authorization"] == signature(service, request, body, KEYS)
    assert cloud.run([*options, "ami-0123456789abcdef0"]) == 0
    assert json.loads(capsys.readouterr().out)["image"]["state"] == "gone"


GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/mail/0123456789abcdef"


def test_the_state_of_each_target_is_found_by_its_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with moto.mock_aws():
        elb = boto3.client("elbv2", region_name="eu-central-1")
        ec2 = boto3.client("ec2", region_name="eu-central-1")
        vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        made = elb.create_target_group(
            Name="mail", Protocol="TCP", Port=443, VpcId=vpc, TargetType="ip"
        )
        group = made["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.8.0.4", "Port": 443}])
        bodies: list[bytes] = []
        elb.meta.events.register(
            "response-received", lambda response_dict, **_: bodies.append(response_dict["body"])
        )
        told = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    expected = {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in told}
    text = bodies[-1].decode()
    found, asked = run(monkeypatch, capsys, "--targets", GROUP, targets=(200, text))
    assert found["targets"] == expected
    assert set(expected) == {"10.8.0.4"}
    assert asked[-1] == {"Action": "DescribeTargetHealth", "TargetGroupArn": GROUP}
    found, _ = run(monkeypatch, capsys, "--targets", GROUP, targets=refused("AccessDenied"))
    assert found["targets"] == {"error": "AccessDenied"}
