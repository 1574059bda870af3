# ruff: noqa: ARG002 - every type's operations take the same arguments
"""EBS volumes and their attachments."""

import zlib

from standins.pulumi.aws.account import ACCOUNT_ID
from standins.pulumi.aws.resource import AwsResource, Scope, given, specification, tag_map
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits


class Volume(AwsResource):
    kind = "aws:ebs/volume:Volume"
    traits = Traits(
        replace=frozenset(
            {
                "availabilityZone",
                "encrypted",
                "kmsKeyId",
                "multiAttachEnabled",
                "snapshotId",
                "region",
            }
        )
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        names = {
            "availabilityZone": "AvailabilityZone",
            "encrypted": "Encrypted",
            "iops": "Iops",
            "kmsKeyId": "KmsKeyId",
            "size": "Size",
            "throughput": "Throughput",
            "type": "VolumeType",
        }
        created = aws.ec2.create_volume(
            **given(inputs, names), TagSpecifications=specification("volume", inputs)
        )
        identity = str(created["VolumeId"])
        self.world.hosts.size_volume(identity, int(inputs["size"]))
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = aws.ec2.describe_volumes(VolumeIds=[identity])["Volumes"][0]
        return {
            "arn": f"arn:aws:ec2:{aws.region}:{ACCOUNT_ID}:volume/{identity}",
            "availabilityZone": found["AvailabilityZone"],
            "encrypted": found["Encrypted"],
            "iops": found.get("Iops") or known.get("iops"),
            "throughput": found.get("Throughput") or known.get("throughput"),
            "size": found["Size"],
            "type": found["VolumeType"],
            "tagsAll": tag_map(found.get("Tags")),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        names = {
            "iops": "Iops",
            "size": "Size",
            "throughput": "Throughput",
            "type": "VolumeType",
        }
        changed = {
            name: news[name]
            for name in names
            if news.get(name) is not None and news[name] != olds.get(name)
        }
        if changed:
            aws.ec2.modify_volume(VolumeId=identity, **given(changed, names))
        if changed.get("size"):
            self.world.hosts.size_volume(identity, int(changed["size"]))

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        if state.get("finalSnapshot"):
            aws.ec2.create_snapshot(VolumeId=identity)
        aws.ec2.delete_volume(VolumeId=identity)
        self.world.hosts.delete_volume(identity)


class VolumeAttachment(AwsResource):
    kind = "aws:ec2/volumeAttachment:VolumeAttachment"
    traits = Traits(replace=frozenset({"deviceName", "instanceId", "volumeId", "region"}))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        name, volume, instance = inputs["deviceName"], inputs["volumeId"], inputs["instanceId"]
        aws.ec2.attach_volume(Device=name, VolumeId=volume, InstanceId=instance)
        self.world.hosts.attach(instance, volume)
        return f"vai-{zlib.crc32(f'{name}-{instance}-{volume}-'.encode())}"

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        volume = aws.ec2.describe_volumes(VolumeIds=[known["volumeId"]])["Volumes"][0]
        for attachment in volume["Attachments"]:
            if attachment["InstanceId"] == known["instanceId"]:
                return {
                    "deviceName": attachment["Device"],
                    "instanceId": attachment["InstanceId"],
                    "volumeId": attachment["VolumeId"],
                }
        return None

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        if state.get("skipDestroy"):
            return
        volume, instance = state["volumeId"], state["instanceId"]
        stops = bool(state.get("stopInstanceBeforeDetaching"))
        if stops:
            self.world.hosts.stop(instance)
            aws.ec2.stop_instances(InstanceIds=[instance])
        aws.ec2.detach_volume(Device=state["deviceName"], VolumeId=volume, InstanceId=instance)
        self.world.hosts.detach(instance, volume)


RESOURCES = [Volume, VolumeAttachment]
