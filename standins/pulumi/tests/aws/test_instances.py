import grpc
import pytest

from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import (
    ATTACHMENT,
    INSTANCE,
    PRIMARY,
    VOLUME,
    Site,
    instance_inputs,
    make_site,
)
from standins.pulumi.tests.engine import Engine, Made, Refused, error_of
from standins.pulumi.tests.machine import RecordingHosts


@pytest.fixture
def site(aws: Engine) -> Site:
    return make_site(aws)


def _volume(aws: Engine, zone: str = "eu-west-1a") -> Made:
    inputs = {"availabilityZone": zone, "size": 4, "type": "gp3", "encrypted": True}
    return aws.create(VOLUME, "spool", inputs)


def _attach(aws: Engine, instance: Made, volume: Made) -> Made:
    inputs = {
        "deviceName": "/dev/sdf",
        "instanceId": instance.identity,
        "volumeId": volume.identity,
        "stopInstanceBeforeDetaching": True,
    }
    return aws.create(ATTACHMENT, "attachment", inputs)


def test_an_instance_is_a_host_with_its_interface_and_user_data(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    made = aws.create(INSTANCE, "mta", instance_inputs(site))
    (machine,) = hosts.machines
    assert machine.instance_id == made.identity
    assert machine.interface.name == site.interface.identity
    assert machine.interface.address == made.state["privateIp"] == PRIMARY
    assert machine.interface.prefix == 24
    assert machine.user_data == "#cloud-config\n"


def test_an_instance_runs_in_the_zone_of_its_interface(aws: Engine) -> None:
    site = make_site(aws, "eu-west-1b")
    made = aws.create(INSTANCE, "mta", instance_inputs(site))
    assert made.state["availabilityZone"] == "eu-west-1b"
    _attach(aws, made, _volume(aws, "eu-west-1b"))
    with pytest.raises(grpc.RpcError, match="not in the same availability zone"):
        _attach(aws, made, _volume(aws, "eu-west-1a"))


def test_user_data_does_not_show_in_a_machine_that_is_printed(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    aws.create(INSTANCE, "mta", instance_inputs(site, userData="#cloud-config\n# hidden"))
    assert "hidden" not in repr(hosts.machines[0])


def test_an_instance_has_no_difference_after_a_refresh(aws: Engine, site: Site) -> None:
    root = {"volumeSize": 8, "encrypted": True, "volumeType": "gp3"}
    made = aws.create(INSTANCE, "mta", instance_inputs(site, rootBlockDevice=root))
    again = aws.read(made)
    assert again is not None
    assert again.inputs == made.inputs


def test_tags_of_the_root_disk_reach_aws_too(aws: Engine, site: Site, service: Service) -> None:
    def with_root(tags: dict[str, str]) -> dict[str, object]:
        return instance_inputs(site, rootBlockDevice={"volumeSize": 8, "tags": tags})

    with pytest.raises(grpc.RpcError, match="Tag value exceeds"):
        aws.create(INSTANCE, "mta", with_root({"Name": "x" * 257}))
    aws.create(INSTANCE, "mta", with_root({"Name": "root"}))
    (volume,) = service.account.client("ec2", "eu-west-1").describe_volumes()["Volumes"]
    assert volume["Tags"] == [{"Key": "Name", "Value": "root"}]


def test_an_interface_in_use_is_refused_to_a_second_instance(aws: Engine, site: Site) -> None:
    aws.create(INSTANCE, "one", instance_inputs(site))
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(INSTANCE, "two", instance_inputs(site))
    assert "InvalidNetworkInterface.InUse" in error_of(caught)


def test_a_terminated_instance_leaves_its_interface(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    made = aws.create(INSTANCE, "one", instance_inputs(site))
    aws.delete(made)
    assert hosts.acts[-1] == ("terminate", made.identity)
    assert aws.read(made) is None
    second = aws.create(INSTANCE, "two", instance_inputs(site))
    assert second.state["privateIp"] == PRIMARY


def test_a_protected_instance_is_not_terminated(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    made = aws.create(INSTANCE, "mta", instance_inputs(site, disableApiTermination=True))
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(made)
    assert "OperationNotPermitted" in error_of(caught)
    assert ("terminate", made.identity) not in hosts.acts
    aws.delete(aws.update(made, instance_inputs(site, disableApiTermination=False)))
    assert ("terminate", made.identity) in hosts.acts


def test_a_host_that_does_not_start_leaves_no_instance(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    hosts.fails_to_launch = True
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(INSTANCE, "mta", instance_inputs(site))
    assert error_of(caught) == "no room for another host"
    hosts.fails_to_launch = False
    aws.create(INSTANCE, "mta", instance_inputs(site))


def test_changed_user_data_replaces_an_instance(aws: Engine, site: Site) -> None:
    made = aws.create(INSTANCE, "mta", instance_inputs(site))
    news = instance_inputs(site, userData="#cloud-config\n# other")
    assert list(aws.diff(made, news).replaces) == ["userData"]
    with pytest.raises(Refused, match="userData: the sandbox knows it with userData"):
        aws.check(INSTANCE, "mta", instance_inputs(site, userDataReplaceOnChange=False))


def test_a_change_that_the_sandbox_does_not_know_is_refused_by_name(
    aws: Engine, site: Site
) -> None:
    made = aws.create(INSTANCE, "mta", instance_inputs(site))
    with pytest.raises(grpc.RpcError) as caught:
        aws.update(made, instance_inputs(site, rootBlockDevice={"volumeSize": 9}))
    assert error_of(caught).startswith("rootBlockDevice: the sandbox does not know how to change")


def test_another_type_stops_and_starts_the_host(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    made = aws.create(INSTANCE, "mta", instance_inputs(site))
    news = instance_inputs(site, instanceType="t3.large")
    assert list(aws.diff(made, news).replaces) == []
    assert aws.update(made, news).state["instanceType"] == "t3.large"
    assert hosts.acts[-2:] == [("stop", made.identity), ("start", made.identity)]


def test_another_image_replaces(aws: Engine, site: Site) -> None:
    made = aws.create(INSTANCE, "mta", instance_inputs(site))
    assert list(aws.diff(made, instance_inputs(site, ami="ami-1")).replaces) == ["ami"]


def test_an_unknown_image_is_refused(aws: Engine, site: Site) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(INSTANCE, "mta", instance_inputs(site, ami="ami-0123456789abcdef0"))
    assert "InvalidAMIID.NotFound" in error_of(caught)


def test_user_data_over_the_limit_is_refused(aws: Engine, site: Site) -> None:
    with pytest.raises(Refused, match="userData: longer than 16384 bytes"):
        aws.check(INSTANCE, "mta", instance_inputs(site, userData="x" * 16385))


def test_a_volume_follows_its_attachment(aws: Engine, site: Site, hosts: RecordingHosts) -> None:
    instance, volume = aws.create(INSTANCE, "mta", instance_inputs(site)), _volume(aws)
    attachment = _attach(aws, instance, volume)
    assert hosts.acts[-2:] == [
        ("size", volume.identity, "4"),
        ("attach", instance.identity, volume.identity),
    ]
    aws.delete(attachment)
    assert hosts.acts[-2:] == [
        ("stop", instance.identity),
        ("detach", instance.identity, volume.identity),
    ]
    aws.delete(volume)
    assert hosts.acts[-1] == ("delete", volume.identity)


def test_a_volume_in_use_is_neither_deleted_nor_attached_again(aws: Engine, site: Site) -> None:
    instance, volume = aws.create(INSTANCE, "mta", instance_inputs(site)), _volume(aws)
    _attach(aws, instance, volume)
    for act in (lambda: aws.delete(volume), lambda: _attach(aws, instance, volume)):
        with pytest.raises(grpc.RpcError) as caught:
            act()
        assert "VolumeInUse" in error_of(caught)


def test_a_volume_of_another_zone_is_refused(aws: Engine, site: Site) -> None:
    instance = aws.create(INSTANCE, "mta", instance_inputs(site))
    with pytest.raises(grpc.RpcError) as caught:
        _attach(aws, instance, _volume(aws, zone="eu-west-1b"))
    assert "InvalidVolume.ZoneMismatch" in error_of(caught)


def test_a_volume_grows_in_place(aws: Engine, hosts: RecordingHosts) -> None:
    volume = _volume(aws)
    news = volume.written(size=8)
    assert list(aws.diff(volume, news).replaces) == []
    assert aws.update(volume, news).state["size"] == 8
    assert hosts.acts[-1] == ("size", volume.identity, "8")
