"""From an instance's inputs to what the API is asked and what the machine boots."""

import base64
from typing import Any

from standins.pulumi.aws.resource import Scope, given, specification
from standins.pulumi.aws.world import interface_of
from standins.pulumi.errors import ProviderError
from standins.pulumi.hosts import Machine
from standins.pulumi.properties import Properties


def run_arguments(inputs: Properties) -> Properties:
    """What the API is asked for a new instance."""
    names = {"ami": "ImageId", "instanceType": "InstanceType", "keyName": "KeyName"}
    arguments: Properties = {
        **given(inputs, names),
        "MinCount": 1,
        "MaxCount": 1,
        "UserData": user_data(inputs),
        "TagSpecifications": specification("instance", inputs),
    }
    primary = inputs.get("primaryNetworkInterface")
    if primary:
        arguments["NetworkInterfaces"] = [
            {"DeviceIndex": 0, "NetworkInterfaceId": primary["networkInterfaceId"]}
        ]
    else:
        plain = {
            "subnetId": "SubnetId",
            "vpcSecurityGroupIds": "Groups",
            "privateIp": "PrivateIpAddress",
        }
        arguments["NetworkInterfaces"] = [
            {"DeviceIndex": 0, "DeleteOnTermination": True, **given(inputs, plain)}
        ]
    if inputs.get("metadataOptions"):
        arguments["MetadataOptions"] = metadata_arguments(inputs["metadataOptions"])
    if inputs.get("iamInstanceProfile"):
        arguments["IamInstanceProfile"] = {"Name": inputs["iamInstanceProfile"]}
    if inputs.get("rootBlockDevice"):
        disk = {
            "volumeSize": "VolumeSize",
            "volumeType": "VolumeType",
            "encrypted": "Encrypted",
            "iops": "Iops",
            "throughput": "Throughput",
            "deleteOnTermination": "DeleteOnTermination",
        }
        arguments["BlockDeviceMappings"] = [
            {"DeviceName": "/dev/sda1", "Ebs": given(inputs["rootBlockDevice"], disk)}
        ]
    return arguments


def user_data(inputs: Properties) -> str:
    """The user data in plain text."""
    if inputs.get("userDataBase64"):
        return base64.b64decode(inputs["userDataBase64"]).decode()
    return str(inputs.get("userData") or "")


def metadata_arguments(options: Properties) -> Properties:
    """Options of the metadata service under the API's names."""
    names = {
        "httpEndpoint": "HttpEndpoint",
        "httpTokens": "HttpTokens",
        "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
        "instanceMetadataTags": "InstanceMetadataTags",
    }
    return given(options, names)


def image_of(aws: Scope, inputs: Properties) -> Properties:
    """The image that the inputs name; moto would take any."""
    images = aws.ec2.describe_images(ImageIds=[inputs["ami"]])["Images"]
    if not images:
        raise ProviderError(
            f"api error InvalidAMIID.NotFound: The image id '[{inputs['ami']}]' does not exist"
        )
    return dict(images[0])


def require_free_interface(aws: Scope, primary: Properties | None) -> None:
    """Moto would take the interface away from the instance that has it."""
    if not primary:
        return
    identity = primary["networkInterfaceId"]
    answer = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[identity])
    holder = (answer["NetworkInterfaces"][0].get("Attachment") or {}).get("InstanceId")
    if holder:
        raise ProviderError(
            f"api error InvalidNetworkInterface.InUse: Interface: [{identity}] in use by {holder}"
        )


def machine_of(aws: Scope, identity: str, inputs: Properties, image: Properties) -> Machine:
    """The host that the instance is to be."""
    found = describe(aws, identity) or {}
    primary = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    interface = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[primary])
    described = interface["NetworkInterfaces"][0]
    subnet = aws.ec2.describe_subnets(SubnetIds=[described["SubnetId"]])["Subnets"][0]
    return Machine(
        instance_id=identity,
        interface=interface_of(described, subnet["CidrBlock"]),
        user_data=user_data(inputs),
        hostname=f"ip-{described['PrivateIpAddress'].replace('.', '-')}",
        architecture=str(image.get("Architecture")),
        region=aws.region,
        tags=dict(inputs.get("tagsAll") or {}),
    )


def describe(aws: Scope, identity: str) -> dict[str, Any] | None:
    """The instance as the API describes it."""
    reservations = aws.ec2.describe_instances(InstanceIds=[identity])["Reservations"]
    return dict(reservations[0]["Instances"][0]) if reservations else None
