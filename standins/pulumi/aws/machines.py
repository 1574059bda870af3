"""Kinds with effects on this machine: instances (its hosts), their interfaces and disks."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from standins.pulumi.aws.resource import AwsResource, Scope
from standins.pulumi.aws.world import interface_of
from standins.pulumi.hosts import Machine
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Change
from standins.pulumi.schema import Refusal

_PROFILE_TRIES = 6
_USER_DATA_LIMIT = 16 * 1024


class Instance(AwsResource):
    """Boots a host; a change of type stops it while the API requires that."""

    def refusals(self, inputs: Properties) -> Iterator[Refusal]:
        yield from super().refusals(inputs)
        data = inputs.get("userData")
        if isinstance(data, str) and len(data.encode()) > _USER_DATA_LIMIT:
            yield Refusal(path="userData", reason=f"longer than {_USER_DATA_LIMIT} bytes")

    def made(self, aws: Scope, inputs: Properties) -> str:
        identity = self._launched(aws, inputs)
        try:
            self.world.hosts.launch(_machine(aws, identity, inputs))
        except Exception:
            self.removed(aws, identity, inputs)
            raise
        return identity

    def _launched(self, aws: Scope, inputs: Properties) -> str:
        """The real provider retries while EC2 does not know a new profile."""
        for left in range(_PROFILE_TRIES - 1, -1, -1):
            try:
                return super().made(aws, inputs)
            except ClientError as error:
                if not left or "Invalid IAM Instance Profile" not in str(error):
                    raise
        raise AssertionError("the last try returns or raises")

    def changed(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        super().changed(aws, identity, olds, news)
        if news.get("instanceType") != olds.get("instanceType"):
            aws.ec2.stop_instances(InstanceIds=[identity])
            self.world.hosts.stop(identity)
            aws.ec2.modify_instance_attribute(
                InstanceId=identity, InstanceType={"Value": news["instanceType"]}
            )
            aws.ec2.start_instances(InstanceIds=[identity])
            self.world.hosts.start(identity)

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        # Refused here when protected, before the host is touched.
        super().removed(aws, identity, state)
        self.world.hosts.terminate(identity)


def _machine(aws: Scope, identity: str, inputs: Properties) -> Machine:
    """The host for the instance."""
    answer = aws.ec2.describe_instances(InstanceIds=[identity])
    instance: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    primary = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    interfaces = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[primary])
    described = interfaces["NetworkInterfaces"][0]
    subnet = aws.ec2.describe_subnets(SubnetIds=[described["SubnetId"]])["Subnets"][0]
    return Machine(
        instance_id=identity,
        interface=interface_of(described, subnet["CidrBlock"]),
        user_data=inputs.get("userData") or "",
        hostname=f"ip-{described['PrivateIpAddress'].replace('.', '-')}",
    )


class NetworkInterface(AwsResource):
    """Outlives the instances that use it, and keeps its primary address."""

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        before, after = olds.get("privateIpLists") or [], news.get("privateIpLists")
        keeps = isinstance(after, list) and after[:1] == before[:1]
        return [
            Change(name=each.name, kind=each.kind, replaces=not keeps)
            if each.name == "privateIpLists" and isinstance(after, list)
            else each
            for each in super().changes(olds, news)
        ]

    def changed(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        """A changed list gives every secondary address up first, and then takes one by one.

        With it go their Elastic IPs, though the associations' resources did not change: so does
        the real provider.
        """
        super().changed(aws, identity, olds, news)
        before, after = olds["privateIpLists"], news["privateIpLists"]
        if before != after:
            if before[1:]:
                aws.ec2.unassign_private_ip_addresses(
                    NetworkInterfaceId=identity, PrivateIpAddresses=before[1:]
                )
            for address in after[1:]:
                aws.ec2.assign_private_ip_addresses(
                    NetworkInterfaceId=identity, PrivateIpAddresses=[address]
                )


class Volume(AwsResource):
    """A disk of the machine."""

    def made(self, aws: Scope, inputs: Properties) -> str:
        identity = super().made(aws, inputs)
        self.world.hosts.size_volume(identity, int(inputs["size"]))
        return identity

    def changed(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        super().changed(aws, identity, olds, news)
        if news["size"] != olds.get("size"):
            self.world.hosts.size_volume(identity, int(news["size"]))

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        super().removed(aws, identity, state)
        self.world.hosts.delete_volume(identity)


class VolumeAttachment(AwsResource):
    """A disk in a host; the host is stopped before the disk is detached."""

    def made(self, aws: Scope, inputs: Properties) -> str:
        identity = super().made(aws, inputs)
        self.world.hosts.attach(inputs["instanceId"], inputs["volumeId"])
        return identity

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        if state.get("stopInstanceBeforeDetaching"):
            self.world.hosts.stop(state["instanceId"])
        super().removed(aws, identity, state)
        self.world.hosts.detach(state["instanceId"], state["volumeId"])


class Bucket(AwsResource):
    """AWS does not delete a bucket with objects; the provider empties it with forceDestroy."""

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        s3 = aws.client("s3")
        if state.get("forceDestroy"):
            for item in s3.list_objects_v2(Bucket=identity).get("Contents", []):
                s3.delete_object(Bucket=identity, Key=item["Key"])
        super().removed(aws, identity, state)
