# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Instances, each a host of the sandbox; key pairs."""

import base64
from typing import Any

from botocore.exceptions import ClientError

from standins.pulumi.aws.account import ACCOUNT_ID
from standins.pulumi.aws.launch import (
    describe,
    image_of,
    machine_of,
    metadata_arguments,
    require_free_interface,
    run_arguments,
    user_data,
)
from standins.pulumi.aws.resource import AwsResource, Scope, specification, tag_map
from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Change, Traits
from standins.pulumi.schema import Refusal

_PROFILE_TRIES = 5
_USER_DATA_LIMIT = 16 * 1024
_UNKNOWN_HERE = (
    "capacityReservationSpecification",
    "cpuOptions",
    "ebsBlockDevices",
    "enclaveOptions",
    "ephemeralBlockDevices",
    "instanceMarketOptions",
    "launchTemplate",
    "networkInterfaces",
    "secondaryNetworkInterfaces",
)


class Instance(AwsResource):
    kind = "aws:ec2/instance:Instance"
    traits = Traits(
        replace=frozenset(
            {
                "ami",
                "associatePublicIpAddress",
                "availabilityZone",
                "hibernation",
                "keyName",
                "placementGroup",
                "primaryNetworkInterface",
                "privateIp",
                "region",
                "securityGroups",
                "subnetId",
                "tenancy",
            }
        ),
        sets=frozenset({"vpcSecurityGroupIds", "securityGroups", "secondaryPrivateIps"}),
        volatile=frozenset({"publicIp", "publicDns"}),
    )

    def validate(self, inputs: Properties) -> None:
        for name in _UNKNOWN_HERE:
            if inputs.get(name):
                raise InvalidInputs(Refusal(path=name, reason="not known to the sandbox"))
        if inputs.get("primaryNetworkInterface") and (
            inputs.get("subnetId") or inputs.get("vpcSecurityGroupIds")
        ):
            reason = "conflicts with subnetId and vpcSecurityGroupIds"
            raise InvalidInputs(Refusal(path="primaryNetworkInterface", reason=reason))
        data = inputs.get("userData")
        if isinstance(data, str) and len(data.encode()) > _USER_DATA_LIMIT:
            reason = f"longer than {_USER_DATA_LIMIT} bytes"
            raise InvalidInputs(Refusal(path="userData", reason=reason))

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        """User data replaces only when told to; else the instance is stopped for it."""
        replaces = bool(news.get("userDataReplaceOnChange"))
        data = ("userData", "userDataBase64")
        return [
            Change(name=each.name, kind=each.kind, replaces=True)
            if each.name in data and replaces
            else each
            for each in super().changes(olds, news)
        ]

    def _create(self, aws: Scope, inputs: Properties) -> str:
        image = image_of(aws, inputs)
        require_free_interface(aws, inputs.get("primaryNetworkInterface"))
        reservation = _run(aws, run_arguments(inputs))
        identity = str(reservation["Instances"][0]["InstanceId"])
        try:
            self._configure(aws, identity, {}, inputs)
            self.world.hosts.launch(machine_of(aws, identity, inputs, image))
        except Exception:
            self._terminate(aws, identity)
            raise
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = describe(aws, identity)
        if found is None or found["State"]["Name"] in ("terminated", "shutting-down"):
            return None
        primary = found["NetworkInterfaces"][0] if found.get("NetworkInterfaces") else {}
        profile = (found.get("IamInstanceProfile") or {}).get("Arn", "")
        outputs = {
            "arn": f"arn:aws:ec2:{aws.region}:{ACCOUNT_ID}:instance/{identity}",
            "ami": found["ImageId"],
            "availabilityZone": found["Placement"]["AvailabilityZone"],
            "disableApiTermination": _protected(aws, identity),
            "iamInstanceProfile": profile.rsplit("/", 1)[-1] or None,
            "instanceState": found["State"]["Name"],
            "instanceType": found["InstanceType"],
            "keyName": found.get("KeyName") or None,
            "metadataOptions": _metadata_options(found),
            "primaryNetworkInterfaceId": primary.get("NetworkInterfaceId"),
            "privateDns": found.get("PrivateDnsName"),
            "privateIp": found.get("PrivateIpAddress"),
            "publicDns": found.get("PublicDnsName") or "",
            "publicIp": found.get("PublicIpAddress") or "",
            "subnetId": found.get("SubnetId"),
            "vpcSecurityGroupIds": [group["GroupId"] for group in found["SecurityGroups"]],
            "tagsAll": tag_map(found.get("Tags")),
        }
        if known.get("rootBlockDevice"):
            outputs["rootBlockDevice"] = known["rootBlockDevice"]
        return outputs

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._configure(aws, identity, olds, news)
        changed = {change.name for change in super().changes(olds, news)}
        if changed & {"instanceType", "userData", "userDataBase64"}:
            self._change_stopped(aws, identity, news)

    def _change_stopped(self, aws: Scope, identity: str, news: Properties) -> None:
        """The API takes these of a stopped instance only; the real provider stops it, too."""
        aws.ec2.stop_instances(InstanceIds=[identity])
        self.world.hosts.stop(identity)
        if news.get("instanceType"):
            aws.ec2.modify_instance_attribute(
                InstanceId=identity, InstanceType={"Value": news["instanceType"]}
            )
        # Moto wants it encoded once more than boto3 does on the way.
        data = base64.b64encode(user_data(news).encode())
        aws.ec2.modify_instance_attribute(InstanceId=identity, UserData={"Value": data})
        aws.ec2.start_instances(InstanceIds=[identity])
        self.world.hosts.start(identity)

    @staticmethod
    def _configure(aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        protection = news.get("disableApiTermination")
        if protection is not None and protection != olds.get("disableApiTermination"):
            aws.ec2.modify_instance_attribute(
                InstanceId=identity, DisableApiTermination={"Value": protection}
            )
        options = news.get("metadataOptions")
        if options and olds and options != olds.get("metadataOptions"):
            aws.ec2.modify_instance_metadata_options(
                InstanceId=identity, **metadata_arguments(options)
            )
        groups = news.get("vpcSecurityGroupIds")
        if groups and olds and groups != olds.get("vpcSecurityGroupIds"):
            aws.ec2.modify_instance_attribute(InstanceId=identity, Groups=groups)
        profile = news.get("iamInstanceProfile")
        if olds and profile != olds.get("iamInstanceProfile"):
            _replace_profile(aws, identity, profile)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        # Refused here when protected, before the host is touched.
        self._terminate(aws, identity)

    def _terminate(self, aws: Scope, identity: str) -> None:
        aws.ec2.terminate_instances(InstanceIds=[identity])
        self.world.hosts.terminate(identity)

    def _settle(self) -> None:
        self.world.apply_network()


def _run(aws: Scope, arguments: Properties) -> dict[str, Any]:
    """The real provider asks again while EC2 does not know a profile that was just made."""
    for _ in range(_PROFILE_TRIES):
        try:
            return dict(aws.ec2.run_instances(**arguments))
        except ClientError as error:
            if "Invalid IAM Instance Profile" not in str(error):
                raise
    return dict(aws.ec2.run_instances(**arguments))


def _metadata_options(found: dict[str, Any]) -> Properties:
    options = found.get("MetadataOptions") or {}
    return {
        "httpEndpoint": options.get("HttpEndpoint"),
        "httpTokens": options.get("HttpTokens"),
        "httpPutResponseHopLimit": options.get("HttpPutResponseHopLimit"),
        "instanceMetadataTags": options.get("InstanceMetadataTags"),
    }


def _protected(aws: Scope, identity: str) -> bool:
    answer = aws.ec2.describe_instance_attribute(
        InstanceId=identity, Attribute="disableApiTermination"
    )
    value = answer["DisableApiTermination"]["Value"]
    return value is True or str(value).lower() == "true"


def _replace_profile(aws: Scope, identity: str, profile: str | None) -> None:
    of_instance = [{"Name": "instance-id", "Values": [identity]}]
    answer = aws.ec2.describe_iam_instance_profile_associations(Filters=of_instance)
    for association in answer["IamInstanceProfileAssociations"]:
        aws.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    if profile:
        aws.ec2.associate_iam_instance_profile(
            InstanceId=identity, IamInstanceProfile={"Name": profile}
        )


class KeyPair(AwsResource):
    kind = "aws:ec2/keyPair:KeyPair"
    traits = Traits(
        replace=frozenset({"keyName", "keyNamePrefix", "publicKey", "region"}), autoname="keyName"
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        aws.ec2.import_key_pair(
            KeyName=inputs["keyName"],
            PublicKeyMaterial=inputs["publicKey"].encode(),
            TagSpecifications=specification("key-pair", inputs),
        )
        return str(inputs["keyName"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = aws.ec2.describe_key_pairs(KeyNames=[identity])["KeyPairs"][0]
        return {
            "arn": f"arn:aws:ec2:{aws.region}:{ACCOUNT_ID}:key-pair/{identity}",
            "fingerprint": found["KeyFingerprint"],
            "keyName": identity,
            "keyPairId": found["KeyPairId"],
            "tagsAll": tag_map(found.get("Tags")),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        super()._retag(aws, state["keyPairId"], state, put, drop)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.delete_key_pair(KeyName=identity)


RESOURCES = [Instance, KeyPair]
