"""Engine, program and example stacks, over an AWS that rejects what AWS rejects."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from pulumi import automation

from components import config
from sandbox.engine import ensure_engine
from sandbox.layout import Layout
from standins.pulumi.service import Service
from tests.sandbox.stacks import example
from tests.sandbox.stacks.answering_hosts import ELASTIC_RANGE, AnsweringHosts

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("able_machine")]


@pytest.fixture
def hosts() -> Iterator[AnsweringHosts]:
    made = AnsweringHosts()
    yield made
    made.stop_all()


@pytest.fixture
def service(hosts: AnsweringHosts) -> Iterator[Service]:
    running = Service(lambda _: hosts, elastic_range=ELASTIC_RANGE)
    # Moto's state is the process's.
    urlopen(Request(f"{running.endpoints.moto_url}/moto-api/reset", method="POST")).close()
    yield running
    running.account.conditions.reset()
    running.stop()


def _program() -> None:
    runpy.run_path(str(example.ROOT / "__main__.py"), run_name="__main__")


@pytest.mark.parametrize("name", ["staging"])
def test_a_stack_comes_up_stays_as_it_is_and_goes(
    name: str,
    service: Service,
    hosts: AnsweringHosts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = example.prepare(service, name)
    before = _zones(service)
    example.project(service, tmp_path, name)
    monkeypatch.setattr(config, "STACKS", tmp_path / "stacks")
    stack = automation.create_or_select_stack(
        stack_name=name,
        project_name="ping8-mail",
        program=_program,
        opts=automation.LocalWorkspaceOptions(
            work_dir=str(tmp_path),
            pulumi_command=automation.PulumiCommand(
                root=str(ensure_engine(Layout.of_checkout().cache).parent.parent)
            ),
            env_vars=example.environment(service, tmp_path),
        ),
    )
    stack.set_config("ping8-mail:protect", automation.ConfigValue("false"))
    stack.up()
    assert set(hosts.releases) == {"mta-1", *(proxy.name for proxy in settings.proxies)}
    stack.preview(expect_no_changes=True)
    stack.destroy()
    assert _zones(service) == before
    ec2 = service.account.client("ec2", example.REGION)
    assert not ec2.describe_network_interfaces()["NetworkInterfaces"]


def _zones(service: Service) -> list[tuple[str, int]]:
    zones = service.account.client("route53", "us-east-1").list_hosted_zones()["HostedZones"]
    return sorted((zone["Name"], zone["ResourceRecordSetCount"]) for zone in zones)
