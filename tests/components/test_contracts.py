"""What holds for every resource of every environment."""

import json
import re
from collections import Counter

import pulumi_aws
import pytest

from policy.push import push_command
from tests.components import shapes
from tests.components.program import Program, Registration, pushed, run

every_shape = pytest.mark.parametrize("shape", shapes.NAMES)

PROTECTED = ("aws:ec2/eip:Eip", "aws:ebs/volume:Volume", "aws:ec2/instance:Instance")
KEPT = ("aws:ec2/eip:Eip", "aws:ebs/volume:Volume")


def custom(program: Program) -> list[Registration]:
    """What a provider makes; components and resources that are only read are not."""
    return [item for item in program if item.custom and not item.read]


def is_taggable(item: Registration) -> bool:
    """Whether the provider's own class takes tags."""
    package, module, kind = item.type.split(":")
    if package != "aws":
        return False
    room = getattr(pulumi_aws, module.partition("/")[0])
    return "tags" in vars(getattr(room, kind))


@every_shape
def test_every_resource_has_its_component_as_parent(shape: str) -> None:
    program = shapes.program(shape)
    components = {item.urn for item in program if not item.custom}
    roots = [item for item in program if item.parent not in components]
    assert [item.type for item in roots] == ["ping8:mail:MailPlatform"]


@every_shape
def test_every_name_begins_with_its_parents_family(shape: str) -> None:
    assert all(
        item.name == "mail" or item.name.startswith("mail-") for item in shapes.program(shape)
    )


@every_shape
def test_every_component_says_that_it_is_complete(shape: str) -> None:
    program = shapes.program(shape)
    assert {item.urn for item in program if not item.custom} <= program.finished


@every_shape
def test_every_urn_is_used_once(shape: str) -> None:
    counts = Counter(item.urn for item in shapes.program(shape))
    assert [urn for urn, count in counts.items() if count > 1] == []


@every_shape
def test_every_taggable_resource_is_tagged(shape: str) -> None:
    for item in custom(shapes.program(shape)):
        if is_taggable(item):
            tags = item.inputs["tags"]
            assert tags["Project"] == "ping8-mail", item.name
            assert tags["Environment"] == shape, item.name
            assert tags["Name"], item.name


def test_tags_of_the_settings_are_on_every_resource() -> None:
    for item in custom(shapes.program("many-sources")):
        if is_taggable(item):
            assert item.inputs["tags"]["CostCentre"] == "mail", item.name


@every_shape
def test_addresses_volumes_and_instances_are_protected_by_setting(shape: str) -> None:
    program = shapes.program(shape)
    protect = program.outputs["settings"].get("protect", True)
    for kind in PROTECTED:
        assert all(item.protect is protect for item in program.of_type(kind) if not item.read)
    for kind in KEPT:
        made = [item for item in program.of_type(kind) if not item.read]
        assert all(item.retain_on_delete is protect for item in made)
    for instance in program.of_type("Instance"):
        assert instance.inputs["disableApiTermination"] is protect


@every_shape
def test_no_secret_is_outside_a_secret(shape: str) -> None:
    program = shapes.program(shape)
    hidden = _secret_texts(program)
    assert hidden
    for item in program:
        for key, value in item.inputs.items():
            if key not in item.secret:
                text = json.dumps(value, default=str)
                assert not [s for s in hidden if s in text], (item.name, key)
    for key, value in program.outputs.items():
        if key not in program.secret_outputs:
            assert not [s for s in hidden if s in json.dumps(value, default=str)], key


def _secret_texts(program: Program) -> set[str]:
    """Everything that would tell a secret: tokens, and a line of each private key."""
    found = {str(program.outputs[key]) for key in ("webhook_token", "injection_token")}
    stdin = pushed(program.one("Command", "mail-release-mta-1-push"))
    texts = [json.dumps(content) for content in stdin["contents"].values()]
    texts += [str(item.inputs["userData"]) for item in program.of_type("Instance")]
    texts += [str(item.inputs["connection"]["privateKey"]) for item in program.of_type("Command")]
    for text in texts:
        for key in re.findall(r"BEGIN (?:OPENSSH |RSA )?PRIVATE KEY-----(.*?)-----END", text, re.S):
            found.add(max(re.split(r"\\n|\s", key), key=len))
    return found


@every_shape
def test_every_push_verifies_its_host_and_takes_content_by_standard_input(shape: str) -> None:
    program = shapes.program(shape)
    keys = {name: host["host_key"] for name, host in program.outputs["hosts"].items()}
    commands = program.of_type("Command")
    assert len(commands) == len(keys)
    for command in commands:
        host = command.name.removeprefix("mail-release-").removesuffix("-push")
        connection = command.inputs["connection"]
        assert connection["hostKey"].split()[:2] == keys[host].split()[:2]
        assert connection["user"] == "ping8"
        assert connection["dialErrorLimit"] > 20
        assert connection["perDialTimeout"] > 0
        assert command.inputs["create"] == push_command("15m")
        assert command.inputs["addPreviousOutputInEnv"] is False
        # Progress may show, the agent masks secrets in it; standard output is kept in the state.
        assert command.inputs["logging"] == "stderr"
        assert {"stdin", "connection"} <= command.secret
        assert not {"triggers", "environment", "update", "delete"} & set(command.inputs)


@every_shape
def test_a_push_waits_for_attachments_and_addresses_and_changes_with_the_instance(
    shape: str,
) -> None:
    program = shapes.program(shape)
    for command in program.of_type("Command"):
        host = command.name.removeprefix("mail-release-").removesuffix("-push")
        instance = program.one("Instance", f"mail-{host}-instance")
        attachments = [
            item
            for item in program.of_type("VolumeAttachment")
            if instance.urn in item.property_dependencies["instanceId"]
        ]
        interface = program.one("NetworkInterface", f"mail-{host}-interface")
        associations = [
            item
            for item in program.of_type("EipAssociation")
            if interface.urn in item.property_dependencies["networkInterfaceId"]
        ]
        assert associations
        assert bool(attachments) == host.startswith("mta-")
        waits = {item.urn for item in (instance, *attachments, *associations)}
        assert waits <= command.dependencies
        assert instance.urn in command.property_dependencies["stdin"]
        facts = pushed(command)["facts"]
        assert facts["instance_id"] == program.outputs["hosts"][host]["instance_id"]


def test_the_mta_host_is_pushed_to_after_its_proxies() -> None:
    program = shapes.program("many-sources")
    mta = program.one("Command", "mail-release-mta-1-push")
    for proxy in ("proxy-1", "proxy-2"):
        assert program.one("Command", f"mail-release-{proxy}-push").urn in mta.dependencies


@every_shape
def test_every_instance_demands_imdsv2_and_encrypts_its_disk(shape: str) -> None:
    for instance in shapes.program(shape).of_type("Instance"):
        assert instance.inputs["metadataOptions"]["httpTokens"] == "required"
        assert instance.inputs["metadataOptions"]["httpPutResponseHopLimit"] == 1
        assert instance.inputs["rootBlockDevice"]["encrypted"] is True
        assert instance.inputs["rootBlockDevice"]["volumeType"] == "gp3"


@every_shape
def test_user_data_is_secret_and_its_change_replaces_the_host(shape: str) -> None:
    for instance in shapes.program(shape).of_type("Instance"):
        assert "userData" in instance.secret
        assert instance.inputs["userDataReplaceOnChange"] is True


@every_shape
def test_an_instance_goes_before_its_successor_comes(shape: str) -> None:
    program = shapes.program(shape)
    for kind in ("Instance", "VolumeAttachment", "EipAssociation"):
        assert all(item.delete_before_replace for item in program.of_type(kind))
    for attachment in program.of_type("VolumeAttachment"):
        assert attachment.inputs["stopInstanceBeforeDetaching"] is True


@every_shape
def test_every_volume_is_an_encrypted_gp3(shape: str) -> None:
    for volume in shapes.program(shape).of_type("aws:ebs/volume:Volume"):
        assert (volume.inputs["type"], volume.inputs["encrypted"]) == ("gp3", True)


def test_an_image_that_the_settings_leave_open_is_kept_once_chosen() -> None:
    instances = shapes.program("many-sources").of_type("Instance")
    ignored = {item.name: item.ignore_changes for item in instances}
    assert ignored["mail-mta-1-instance"] == ()
    assert ignored["mail-proxy-1-instance"] == ("ami",)


def test_the_image_fits_the_processor_of_the_instance_type() -> None:
    names = {
        call.args["name"]
        for call in shapes.program("many-sources").invocations
        if "name" in call.args
    }
    path = "/aws/service/canonical/ubuntu/server/22.04/stable/current/{}/hvm/ebs-gp2/ami-id"
    assert {path.format("arm64"), path.format("amd64")} <= names


@every_shape
def test_a_ptr_comes_after_its_address_record_and_after_every_release(shape: str) -> None:
    program = shapes.program(shape)
    pointers = program.of_type("EipDomainName")
    nodes = [host for host in program.outputs["hosts"].values() if host["role"] == "mta"]
    assert len(pointers) == len(program.outputs["egress"]) + len(nodes)
    releases = {item.urn for item in program.of_type("command:remote:Command")}
    for pointer in pointers:
        assert releases <= pointer.dependencies
        assert pointer.on_error == ("mail-ptr-retry",)
        forward = [
            item
            for item in program.of_type("Record")
            if item.inputs["type"] == "A" and item.inputs["name"] == pointer.inputs["domainName"]
        ]
        assert [item.urn in pointer.dependencies for item in forward] == [True]


@every_shape
def test_an_elastic_ip_leads_to_the_private_address_that_the_policy_binds(shape: str) -> None:
    program = shapes.program(shape)
    bound = {source["private"] for source in program.outputs["egress"].values()}
    bound |= {
        host["private_address"]
        for host in program.outputs["hosts"].values()
        if host["role"] == "mta"
    }
    led = [item.inputs["privateIpAddress"] for item in program.of_type("EipAssociation")]
    assert sorted(led) == sorted(bound)
    on_interfaces = [
        address
        for item in program.of_type("NetworkInterface")
        for address in item.inputs["privateIpLists"]
    ]
    assert sorted(on_interfaces) == sorted(bound)


def test_an_existing_elastic_ip_is_read_and_never_made() -> None:
    program = shapes.program("many-sources")
    read = {item.name: item.inputs["id"] for item in program.of_type("Eip") if item.read}
    assert read == {
        "mail-address-mta-1-eip": "eipalloc-0fedcba9876543210",
        "mail-address-out-3-eip": "eipalloc-0123456789abcdef0",
    }


def test_a_hosts_name_is_no_part_of_its_sources_urns() -> None:
    assert all(
        "proxy-1-" not in item.name for item in shapes.program("many-sources").of_type("Eip")
    )


@every_shape
def test_only_the_two_tokens_go_to_secrets_manager(shape: str) -> None:
    versions = shapes.program(shape).of_type("SecretVersion")
    assert len(versions) == 2
    assert all("secretString" in item.secret for item in versions)


@every_shape
def test_no_record_overwrites_what_is_there(shape: str) -> None:
    for record in shapes.program(shape).of_type("aws:route53/record:Record"):
        assert "allowOverwrite" not in record.inputs


def test_a_record_that_is_adopted_overwrites() -> None:
    name = "_dmarc.shop.mail.example.com"
    config = shapes.MANY_BRANDS | {"adoptRecords": [name]}
    records = run(config).of_type("aws:route53/record:Record")
    assert [item.inputs["name"] for item in records if "allowOverwrite" in item.inputs] == [name]


@every_shape
def test_a_preview_knows_how_many_resources_there_will_be(shape: str) -> None:
    known, done = shapes.program(shape, preview=True), shapes.program(shape)
    assert {item.urn for item in known} == {item.urn for item in done}
