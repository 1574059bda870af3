import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from standins.pulumi.endpoints import Endpoints
from standins.pulumi.properties import Secret, encode
from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import VPC
from standins.pulumi.tests.engine import Engine

VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
SECRET = "aws:secretsmanager/secret:Secret"


def test_two_providers_of_one_program_keep_their_own_settings(
    aws: Engine, service: Service
) -> None:
    other = Engine(service.endpoints.aws)
    other.configure(region="us-west-2", defaultTags='{"tags": {"side": "other"}}')
    here = aws.create(VPC, "here", {"cidrBlock": "10.20.0.0/16"})
    there = other.create(VPC, "there", {"cidrBlock": "10.20.0.0/16"})
    other.close()
    assert (here.state["region"], here.state["tagsAll"]) == ("eu-west-1", {})
    assert (there.state["region"], there.state["tagsAll"]) == ("us-west-2", {"side": "other"})


def test_a_secret_input_is_a_secret_output(aws: Engine) -> None:
    made = aws.create(VPC, "vpc", {"cidrBlock": Secret("10.20.0.0/16")})
    assert made.inputs["cidrBlock"] == Secret("10.20.0.0/16")
    assert made.state["cidrBlock"] == Secret("10.20.0.0/16")
    again = aws.read(made)
    assert again is not None
    assert again.state["cidrBlock"] == Secret("10.20.0.0/16")


def test_a_stored_secret_is_secret_whatever_its_input_was(aws: Engine) -> None:
    kept = aws.create(SECRET, "token", {"description": "a token"})
    made = aws.create(VERSION, "token", {"secretId": kept.identity, "secretString": "hidden"})
    assert made.state["secretString"] == Secret("hidden")


def test_a_setting_that_the_sdk_does_not_know_is_refused(service: Service) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{service.endpoints.aws}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        given = encode({"region": "eu-west-1", "regoin": "eu-west-1"})
        answer = stub.CheckConfig(provider_pb2.CheckRequest(news=given))
    assert [each.property for each in answer.failures] == ["regoin"]


def test_the_engine_gets_every_port() -> None:
    ports = Endpoints(aws=1, command=2, tls=3, random=4, moto=5, metadata=6)
    assert ports.debug_providers == "aws:1,command:2,tls:3,random:4"


def test_an_unexpected_failure_is_one_line_for_the_user(
    aws: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "standins.pulumi.aws.resource.AwsResource.made",
        lambda *_: (_ for _ in ()).throw(KeyError("x")),
    )
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(VPC, "vpc", {"cidrBlock": "10.20.0.0/16"})
    assert "Traceback" not in str(caught.value)
