"""A small VPC for tests, made through the provider."""

from dataclasses import dataclass
from typing import Any

from standins.pulumi.aws.images import IMAGES
from standins.pulumi.tests.engine import Engine, Made

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
INTERFACE = "aws:ec2/networkInterface:NetworkInterface"
INSTANCE = "aws:ec2/instance:Instance"
VOLUME = "aws:ebs/volume:Volume"
ATTACHMENT = "aws:ec2/volumeAttachment:VolumeAttachment"
EIP = "aws:ec2/eip:Eip"
ASSOCIATION = "aws:ec2/eipAssociation:EipAssociation"
POINTER = "aws:ec2/eipDomainName:EipDomainName"
ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"

PRIMARY, SECONDARY = "10.20.1.10", "10.20.1.11"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A VPC with one subnet, one group and one interface with two addresses."""

    vpc: Made
    subnet: Made
    group: Made
    interface: Made


def make_site(aws: Engine) -> Site:
    vpc = aws.create(VPC, "vpc", {"cidrBlock": "10.20.0.0/16"})
    subnet = aws.create(
        SUBNET,
        "subnet",
        {"vpcId": vpc.identity, "cidrBlock": "10.20.1.0/24", "availabilityZone": "eu-west-1a"},
    )
    group = aws.create(GROUP, "group", {"vpcId": vpc.identity, "description": "hosts"})
    interface = aws.create(
        INTERFACE,
        "interface",
        {
            "subnetId": subnet.identity,
            "privateIps": [PRIMARY, SECONDARY],
            "securityGroups": [group.identity],
        },
    )
    return Site(vpc=vpc, subnet=subnet, group=group, interface=interface)


def instance_inputs(site: Site, **more: Any) -> dict[str, Any]:
    return {
        "ami": IMAGES["amd64"][0],
        "instanceType": "t3.small",
        "primaryNetworkInterface": {"networkInterfaceId": site.interface.identity},
        "userData": "#cloud-config\n",
        "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
        **more,
    }
