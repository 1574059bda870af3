"""A small VPC for tests, created through the provider."""

from dataclasses import dataclass
from typing import Any

from standins.pulumi.service import Service
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
RECORD = "aws:route53/record:Record"

AMI = "ami-05a2db0c20260801a"
PRIMARY, SECONDARY = "10.20.1.10", "10.20.1.11"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A VPC with one subnet, one group and one interface with two addresses."""

    vpc: Made
    subnet: Made
    group: Made
    interface: Made


def addresses(*private: str) -> dict[str, Any]:
    """An interface's addresses, the primary one first."""
    return {"privateIpListEnabled": True, "privateIpLists": list(private)}


def make_zone(service: Service, name: str) -> str:
    """The id of a new zone, which no program makes."""
    route53 = service.account.client("route53", "us-east-1")
    zones = len(route53.list_hosted_zones()["HostedZones"])
    made = route53.create_hosted_zone(Name=name, CallerReference=f"{name} {zones}")
    return str(made["HostedZone"]["Id"].rsplit("/", 1)[-1])


def make_site(aws: Engine, zone: str = "eu-west-1a") -> Site:
    vpc = aws.create(VPC, "vpc", {"cidrBlock": "10.20.0.0/16"})
    subnet = aws.create(
        SUBNET,
        "subnet",
        {"vpcId": vpc.identity, "cidrBlock": "10.20.1.0/24", "availabilityZone": zone},
    )
    group = aws.create(GROUP, "group", {"vpcId": vpc.identity, "description": "hosts"})
    interface = aws.create(
        INTERFACE,
        "interface",
        {
            "subnetId": subnet.identity,
            **addresses(PRIMARY, SECONDARY),
            "securityGroups": [group.identity],
        },
    )
    return Site(vpc=vpc, subnet=subnet, group=group, interface=interface)


def instance_inputs(site: Site, **more: Any) -> dict[str, Any]:
    return {
        "ami": AMI,
        "instanceType": "t3.small",
        "primaryNetworkInterface": {"networkInterfaceId": site.interface.identity},
        "userData": "#cloud-config\n",
        "userDataReplaceOnChange": True,
        "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
        **more,
    }
