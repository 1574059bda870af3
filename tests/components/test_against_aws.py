"""The whole program, each resource made in the strict AWS stand-in, without an engine."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pulumi_aws
import pulumi_command
import pytest
import yaml
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

from standins.pulumi.aws.kinds import kinds, lookups
from standins.pulumi.properties import reveal
from standins.pulumi.service import Service
from standins.pulumi.tests.engine import Engine, Made
from standins.pulumi.tests.machine import RecordingHosts
from tests.components import program as running
from tests.components import shapes
from tests.components.cloud import Cloud

REGION = "eu-central-1"
_COMPONENTS = Path(__file__).parents[2] / "components"

# The SDK's modules load when they are first used, and not two threads may do that at once.
hasattr(pulumi_command.remote, "Resource")
_MODULES = "cloudwatch ebs ec2 elasticache iam lb route53 s3 secretsmanager sns vpc"
for _name in _MODULES.split():
    hasattr(getattr(pulumi_aws, _name), "Resource")


class StrictCloud(Cloud):
    """AWS's resources and functions by the stand-in; keys, passwords and pushes made up."""

    def __init__(self, aws: Engine) -> None:
        super().__init__()
        self.aws = aws

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if not args.typ.startswith("aws:"):
            return super().new_resource(args)
        if args.resource_id:
            kind = {"kind": args.typ, "name": args.name, "identity": args.resource_id}
            found = self.aws.read(Made(**kind, inputs={}, state={}))
            assert found is not None
            return found.identity, dict(reveal(found.state))
        made = self.aws.create(args.typ, args.name, running.plain(args.inputs))
        return made.identity, dict(reveal(made.state))

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        return self.aws.invoke(args.token, **args.args), []


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    running_service = Service(lambda _: RecordingHosts())
    conditions = running_service.account.conditions
    conditions.reset()
    # No engine is here to try again; see the tests of the hook.
    conditions.public_after = 0
    conditions.elastic_ips = 10
    yield running_service
    conditions.reset()
    running_service.stop()


@pytest.fixture
def aws(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    urlopen(Request(f"{service.endpoints.moto_url}/moto-api/reset", method="POST")).close()
    engine = Engine(service.endpoints.aws)
    engine.configure(region=REGION)
    monkeypatch.setattr(running, "Cloud", lambda **_: StrictCloud(engine))
    yield engine
    engine.close()


def _snake(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def _with_addresses(aws: Engine, config: Mapping[str, Any]) -> dict[str, Any]:
    """An address that the example says to exist has to."""
    text = yaml.safe_dump(dict(config))
    for number, example in enumerate(sorted(set(re.findall(r"eipalloc-[0-9a-f]+", text)))):
        made = aws.create("aws:ec2/eip:Eip", f"before-{number}", {"domain": "vpc"})
        text = text.replace(example, made.identity)
    return dict(yaml.safe_load(text))


@pytest.mark.parametrize("name", ["dev", "staging", "prod", "two-nodes"])
def test_aws_takes_everything_that_an_example_stack_makes(
    service: Service, aws: Engine, name: str
) -> None:
    settings = shapes.settings(name)
    route53 = service.account.client("route53", "us-east-1")
    for zone in sorted({settings.zone, *(item.zone for item in settings.domains if item.zone)}):
        route53.create_hosted_zone(Name=zone, CallerReference=f"{name} {zone}")
    made = running.run(_with_addresses(aws, shapes.shapes()[name].config), environment=name)
    assert len(made.of_type("aws:ec2/instance:Instance")) == len(settings.roles)
    alarms = service.account.client("cloudwatch", REGION).describe_alarms(
        AlarmTypes=["MetricAlarm"]
    )
    assert alarms["MetricAlarms"]


def test_the_stand_in_has_nothing_that_the_program_does_not_use() -> None:
    sources = "".join(path.read_text("utf-8") for path in _COMPONENTS.glob("*.py"))
    for token in (*kinds(), *lookups()):
        name = token.rsplit(":", 1)[-1]
        assert re.search(rf"aws\..*\b({name}|{_snake(name)}_output)\b", sources), token
