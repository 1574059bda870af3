"""Engine, program and example stacks, over an AWS that rejects what AWS rejects."""

import re
import runpy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from pulumi import automation

from components import config
from sandbox.engine import ensure_engine
from sandbox.layout import Layout
from standins.pulumi.aws.account import Client
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


@pytest.fixture
def opened(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], automation.Stack]:
    """Opens the stack of an example, without protection."""
    monkeypatch.setattr(config, "STACKS", tmp_path / "stacks")
    return lambda name: _open(service, tmp_path, name)


def _open(service: Service, folder: Path, name: str) -> automation.Stack:
    example.project(service, folder, name)
    stack = automation.create_or_select_stack(
        stack_name=name,
        project_name="ping8-mail",
        program=_program,
        opts=automation.LocalWorkspaceOptions(
            work_dir=str(folder),
            pulumi_command=automation.PulumiCommand(
                root=str(ensure_engine(Layout.of_checkout().cache).parent.parent)
            ),
            env_vars={
                **example.environment(service, folder),
                # The engine would write the whole state after each step: half of the time.
                "PULUMI_SKIP_CHECKPOINTS": "true",
            },
        ),
    )
    stack.set_config("ping8-mail:protect", automation.ConfigValue("false"))
    return stack


@pytest.mark.parametrize("name", ["staging"])
def test_a_stack_comes_up_stays_as_it_is_and_goes(
    name: str,
    service: Service,
    hosts: AnsweringHosts,
    opened: Callable[[str], automation.Stack],
) -> None:
    settings = example.prepare(service, name)
    before = _zones(service)
    stack = opened(name)
    stack.up()
    assert set(hosts.releases) == {"mta-1", *(proxy.name for proxy in settings.proxies)}
    stack.preview(expect_no_changes=True)
    stack.destroy()
    assert _zones(service) == before
    ec2 = service.account.client("ec2", example.REGION)
    assert not ec2.describe_network_interfaces()["NetworkInterfaces"]


Changes = Mapping[str, Set[str]]
"""Names of resources by what happens to them."""


_NO_CHANGE = (automation.OpType.SAME, automation.OpType.READ, automation.OpType.REFRESH)


def _changes(run: Callable[..., object]) -> Changes:
    """What an update or preview does, besides leaving things as they are."""
    found = defaultdict(set)

    def note(event: automation.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            step = event.resource_pre_event.metadata
            if step.op not in _NO_CHANGE:
                found[step.op.value].add(step.urn.rpartition("::")[2])

    run(on_event=note)
    return found


def _with(stack: automation.Stack, **mta: object) -> Changes:
    """Changes the MTA hosts' settings; what the update did. The next one would do what is left."""
    for key, value in mta.items():
        name = f"ping8-mail:mta.{key}"
        stack.set_config(name, automation.ConfigValue(str(value)), path=True)
    planned, done = _changes(stack.preview), _changes(stack.up)
    # A preview cannot know addresses that are still to be made.
    assert all(names <= planned[op] for op, names in done.items())
    return done


def test_mta_hosts_are_replaced_added_resized_and_removed_and_the_others_stay(
    service: Service, hosts: AnsweringHosts, opened: Callable[[str], automation.Stack]
) -> None:
    example.prepare(service, "staging")
    service.account.conditions.elastic_ips = 20
    stack = opened("staging")
    stack.set_config("ping8-mail:elasticIpQuota", automation.ConfigValue("20"))
    stack.set_config("ping8-mail:mta.nodes", automation.ConfigValue("2"), path=True)
    stack.up()
    assert {"mta-1", "mta-2"} <= hosts.releases.keys()
    _a_dead_nodes_volumes_attach_to_its_replacement_in_the_same_zone(stack, service)

    more = _with(stack, nodes=3)
    assert more.keys() == {"create", "update"}
    assert all("mta-3" in name for name in more["create"])
    exchangers = {name for name in more["update"] if name.startswith("mail-dns-mx-")}
    lists = {"mail-alarms-dashboard", "mail-alarms-mail-is-not-flowing", "mail-alarms-zone-lost-0"}
    pushes = {"mail-release-mta-1-push", "mail-release-mta-2-push"}
    assert more["update"] == exchangers | lists | pushes

    larger = _with(stack, instanceType="c7g.2xlarge")
    assert larger == {"update": {f"mail-mta-{number}-instance" for number in (1, 2, 3)}}

    less = _with(stack, nodes=2)
    assert less == {"update": more["update"], "delete": more["create"]}
    stack.preview(expect_no_changes=True)

    stack.destroy()
    ec2, elb = (service.account.client(name, example.REGION) for name in ("ec2", "elbv2"))
    assert not ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert not elb.describe_load_balancers()["LoadBalancers"]


def _a_dead_nodes_volumes_attach_to_its_replacement_in_the_same_zone(
    stack: automation.Stack, service: Service
) -> None:
    dead = stack.outputs()["hosts"].value["mta-2"]
    ec2 = service.account.client("ec2", example.REGION)
    before = _volumes(ec2)
    ec2.terminate_instances(InstanceIds=[dead["instance_id"]])

    stack.refresh()
    done = _changes(stack.up)
    spool, logs = "mail-mta-2-spool-attachment", "mail-mta-2-logs-attachment"
    assert {"mail-mta-2-instance", spool, logs} <= done["create"] | done["replace"]
    assert not {name for names in done.values() for name in names if "mta-1" in name}
    new = stack.outputs()["hosts"].value["mta-2"]
    assert new["instance_id"] != dead["instance_id"]
    assert new | {"instance_id": ""} == dead | {"instance_id": ""}
    moved = {
        volume: new["instance_id"] for volume, on in before.items() if on == dead["instance_id"]
    }
    assert len(moved) == 2
    assert _volumes(ec2) == before | moved


def _volumes(ec2: Client) -> dict[str, str]:
    """The instance of each volume of a stack's, besides root disks."""
    volumes = ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["mail-mta-*"]}])
    return {
        volume["VolumeId"]: volume["Attachments"][0]["InstanceId"] if volume["Attachments"] else ""
        for volume in volumes["Volumes"]
        if not any(tag["Value"].endswith("-root") for tag in volume["Tags"])
    }


def test_a_record_of_somebody_else_stops_the_preview_and_one_of_ours_never_does(
    service: Service, opened: Callable[[str], automation.Stack]
) -> None:
    example.prepare(service, "dev")
    route53 = service.account.client("route53", "us-east-1")
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    name = f"default._spf.{zone['Name']}".rstrip(".")
    value = [{"Value": '"v=spf1 -all"'}]
    record = {"Name": name, "Type": "TXT", "TTL": 300, "ResourceRecords": value}
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch=change)
    stack = opened("dev")
    taken = re.escape(f"{name} TXT: zone {zone['Name'].rstrip('.')}")
    with pytest.raises(automation.CommandError, match=f"{taken}.* To take it over: pulumi import"):
        stack.preview()

    stack.set_config("ping8-mail:adoptRecords[0]", automation.ConfigValue(name), path=True)
    stack.up()
    stack.remove_config("ping8-mail:adoptRecords")
    stack.up()
    stack.preview(expect_no_changes=True)


def _zones(service: Service) -> list[tuple[str, int]]:
    zones = service.account.client("route53", "us-east-1").list_hosted_zones()["HostedZones"]
    return sorted((zone["Name"], zone["ResourceRecordSetCount"]) for zone in zones)
