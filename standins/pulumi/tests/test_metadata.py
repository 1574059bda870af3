import json
from http.client import HTTPConnection

import boto3
import pytest

from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import INSTANCE, PRIMARY, instance_inputs, make_site
from standins.pulumi.tests.engine import Engine, Made

ASSUME = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
CREDENTIALS = "meta-data/iam/security-credentials/"


@pytest.fixture
def instance(aws: Engine) -> Made:
    role = aws.create("aws:iam/role:Role", "role", {"assumeRolePolicy": json.dumps(ASSUME)})
    profile = aws.create(
        "aws:iam/instanceProfile:InstanceProfile", "profile", {"role": role.state["name"]}
    )
    inputs = instance_inputs(make_site(aws), iamInstanceProfile=profile.state["name"])
    return aws.create(INSTANCE, "mta", inputs)


def test_the_roles_credentials_work_on_the_api(service: Service, instance: Made) -> None:
    assert instance.identity.startswith("i-")
    token = service.metadata.token()
    status, role = service.metadata.answer(PRIMARY, CREDENTIALS, token)
    assert status == 200
    assert service.metadata.answer(PRIMARY, CREDENTIALS.rstrip("/"), token) == (200, role)
    status, body = service.metadata.answer(PRIMARY, CREDENTIALS + role, token)
    assert status == 200
    given = json.loads(body)
    sts = boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=service.endpoints.moto_url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )
    assert f"assumed-role/{role}/{instance.identity}" in sts.get_caller_identity()["Arn"]


def test_an_instance_that_requires_tokens_answers_none_without(
    service: Service, instance: Made
) -> None:
    assert instance.state["privateIp"] == PRIMARY
    assert service.metadata.answer(PRIMARY, CREDENTIALS, None) == (401, "")
    assert service.metadata.answer(PRIMARY, CREDENTIALS, "invented") == (401, "")
    assert service.metadata.answer(PRIMARY, CREDENTIALS, service.metadata.token())[0] == 200


def test_an_instance_knows_its_image(service: Service, instance: Made) -> None:
    token = service.metadata.token()
    found = service.metadata.answer(PRIMARY, "meta-data/ami-id", token)
    assert found == (200, instance.state["ami"])


def test_a_stranger_learns_nothing(service: Service, instance: Made) -> None:
    assert instance.state["privateIp"] == PRIMARY
    token = service.metadata.token()
    assert service.metadata.answer("10.20.1.99", CREDENTIALS, token) == (404, "")


def test_a_token_is_asked_for_by_put_with_a_lifetime(service: Service) -> None:
    connection = HTTPConnection("127.0.0.1", service.endpoints.metadata)
    path = "/latest/api/token"
    connection.request("PUT", path, headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    given = connection.getresponse()
    assert given.status == 200
    assert given.read()
    connection.request("PUT", path)
    assert connection.getresponse().status == 400
    connection.close()
