"""The real engine runs a small program against the stand-in providers."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_command as command
import pulumi_random as random
import pulumi_tls as tls
import pytest
from pulumi import automation
from pulumi_aws import Provider, ebs, ec2, get_availability_zones, route53, sns, vpc

from sandbox.engine import ensure_engine
from sandbox.layout import Layout
from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import AMI, make_zone
from standins.pulumi.tests.conftest import _shared, hosts, service
from standins.pulumi.tests.machine import RecordingHosts
from standins.pulumi.tests.ssh_host import SshHost, ssh_host

__all__ = ["_shared", "hosts", "service"]

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("able_machine")]


@dataclass
class Settings:
    """What the program is made with; tests turn these."""

    ssh: command.remote.ConnectionArgs
    zone: str
    operators: str = "198.51.100.1/32"
    user_data: str = "#cloud-config\n"
    content: str = "one"
    protected: bool = False
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A stack, its program's settings and the machine behind it."""

    stack: automation.Stack
    settings: Settings
    hosts: RecordingHosts
    service: Service

    def up(self, *, refresh: bool = False) -> dict[str, int]:
        changes = self.stack.up(refresh=refresh).summary.resource_changes or {}
        return {str(kind): number for kind, number in changes.items() if kind != "same"}


def _program(settings: Settings) -> None:
    network = ec2.Vpc("vpc", cidr_block="10.20.0.0/16", tags=settings.tags)
    subnet = ec2.Subnet(
        "subnet",
        vpc_id=network.id,
        cidr_block="10.20.1.0/24",
        availability_zone=get_availability_zones(state="available").names[0],
    )
    group = ec2.SecurityGroup("group", vpc_id=network.id, description="hosts")
    vpc.SecurityGroupIngressRule(
        "ssh",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=22,
        to_port=22,
        cidr_ipv4=settings.operators,
    )
    interface = ec2.NetworkInterface(
        "interface",
        subnet_id=subnet.id,
        private_ip_list_enabled=True,
        private_ip_lists=["10.20.1.10", "10.20.1.11"],
        security_groups=[group.id],
    )
    instance = ec2.Instance(
        "mta",
        ami=AMI,
        instance_type="t3.small",
        primary_network_interface={"network_interface_id": interface.id},
        user_data=settings.user_data,
        user_data_replace_on_change=True,
        disable_api_termination=settings.protected,
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )
    volume = ebs.Volume("spool", availability_zone=subnet.availability_zone, size=4)
    attachment = ec2.VolumeAttachment(
        "spool",
        device_name="/dev/sdf",
        instance_id=instance.id,
        volume_id=volume.id,
        stop_instance_before_detaching=True,
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )
    eip = ec2.Eip("eip", domain="vpc")
    ec2.EipAssociation(
        "association",
        allocation_id=eip.id,
        network_interface_id=interface.id,
        private_ip_address="10.20.1.11",
    )
    record = route53.Record(
        "a",
        zone_id=settings.zone,
        name="out.mail.example.com",
        type="A",
        ttl=60,
        records=[eip.public_ip],
    )
    ec2.EipDomainName(
        "ptr",
        allocation_id=eip.id,
        domain_name="out.mail.example.com",
        opts=pulumi.ResourceOptions(depends_on=[record]),
    )
    key = tls.PrivateKey("key", algorithm="ED25519")
    token = random.RandomPassword("token", length=43, special=False)
    pushed = command.remote.Command(
        "push",
        connection=settings.ssh,
        create="cat",
        stdin=pulumi.Output.concat(instance.id, " ", settings.content),
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions(depends_on=[attachment]),
    )
    elsewhere = Provider(
        "elsewhere", region="us-west-2", default_tags={"tags": {"stack": "elsewhere"}}
    )
    topic = sns.Topic("topic", opts=pulumi.ResourceOptions(provider=elsewhere))
    pulumi.export("topic", topic.arn)
    pulumi.export("tags", [topic.tags_all, volume.tags_all])
    pulumi.export("pushed", pushed.stdout)
    pulumi.export("instance", instance.id)
    pulumi.export("token", token.result)
    pulumi.export("key", key.private_key_openssh)
    pulumi.export("address", eip.public_ip)


def _connection(host: SshHost) -> command.remote.ConnectionArgs:
    return command.remote.ConnectionArgs(
        host="127.0.0.1",
        port=host.port,
        user="ping8",
        private_key=host.private_key,
        host_key=host.host_key,
    )


def _stack(folder: Path, settings: Settings, providers: str, name: str) -> automation.Stack:
    engine = ensure_engine(Layout.of_checkout().cache)
    project = automation.ProjectSettings(
        name="mini", runtime="python", backend=automation.ProjectBackend(url=f"file://{folder}")
    )
    options = automation.LocalWorkspaceOptions(
        work_dir=str(folder),
        project_settings=project,
        pulumi_command=automation.PulumiCommand(root=str(engine.parent.parent)),
        env_vars={
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_DEBUG_PROVIDERS": providers,
            "PULUMI_HOME": os.fspath(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
    )
    return automation.create_or_select_stack(
        name, project_name="mini", program=lambda: _program(settings), opts=options
    )


@pytest.fixture
def run(service: Service, hosts: RecordingHosts, tmp_path: Path) -> Iterator[Run]:
    # The small program has no hook that asks again.
    service.account.conditions.public_after = 0
    with ssh_host() as host:
        zone = make_zone(service, "mail.example.com")
        settings = Settings(ssh=_connection(host), zone=zone)
        stack = _stack(tmp_path, settings, service.endpoints.debug_providers, "test")
        stack.set_config("aws:region", automation.ConfigValue("eu-west-1"))
        stack.set_config("aws:defaultTags", automation.ConfigValue('{"tags": {"stack": "test"}}'))
        yield Run(stack=stack, settings=settings, hosts=hosts, service=service)


def test_a_stack_lives_from_its_first_up_to_its_destruction(run: Run) -> None:
    assert run.up() == {"create": 18}
    first = run.stack.outputs()
    assert first["token"].secret
    assert first["key"].secret
    assert first["topic"].value.startswith("arn:aws:sns:us-west-2:")
    assert first["tags"].value == [{"stack": "elsewhere"}, {"stack": "test"}]
    assert first["pushed"].value == f"{first['instance'].value} one"
    assert run.hosts.reverse == {first["address"].value: "out.mail.example.com"}
    assert run.up(refresh=True) == {}

    _revoke_every_rule(run)
    assert run.up(refresh=True) == {"create": 1}

    run.settings.operators = "198.51.100.2/32"
    run.settings.content = "two"
    run.settings.tags = {"Name": "mail"}
    assert run.up() == {"update": 3}
    assert run.hosts.network is not None
    assert [rule.cidr for rule in run.hosts.network.rules] == ["198.51.100.2/32"]

    _a_replaced_instance_keeps_volume_and_address(run)
    _a_protected_instance_is_not_destroyed(run)
    run.stack.destroy()
    assert [zone.records for zone in run.hosts.zones] == [()]


def _revoke_every_rule(run: Run) -> None:
    ec2 = run.service.account.client("ec2", "eu-west-1")
    for rule in ec2.describe_security_group_rules()["SecurityGroupRules"]:
        if not rule["IsEgress"] and rule.get("CidrIpv4") == run.settings.operators:
            ec2.revoke_security_group_ingress(
                GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
            )


def _a_replaced_instance_keeps_volume_and_address(run: Run) -> None:
    before = run.stack.outputs()
    old, address = before["instance"].value, before["address"].value
    run.hosts.acts.clear()
    run.settings.user_data = "#cloud-config\n# another\n"
    run.settings.protected = True
    assert run.up() == {"replace": 2, "update": 1}
    after = run.stack.outputs()
    new = after["instance"].value
    volume = run.hosts.acts[-1][-1]
    assert run.hosts.acts == [
        ("stop", old),
        ("detach", old, volume),
        ("terminate", old),
        ("launch", new),
        ("attach", new, volume),
    ]
    assert after["address"].value == address
    assert after["pushed"].value == f"{new} two"


def _a_protected_instance_is_not_destroyed(run: Run) -> None:
    with pytest.raises(automation.CommandError, match="OperationNotPermitted"):
        run.stack.destroy()
    assert ("terminate", run.stack.outputs()["instance"].value) not in run.hosts.acts
    run.settings.protected = False
    run.up()
