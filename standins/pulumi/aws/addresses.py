# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Elastic IPs, what they belong to, and their PTR records."""

from typing import Any

from standins.pulumi.aws.account import ACCOUNT_ID
from standins.pulumi.aws.resource import AwsResource, Scope, given, specification, tag_map
from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits
from standins.pulumi.schema import Refusal


class Eip(AwsResource):
    kind = "aws:ec2/eip:Eip"
    traits = Traits(
        replace=frozenset(
            {"address", "domain", "networkBorderGroup", "publicIpv4Pool", "ipamPoolId", "region"}
        ),
        volatile=frozenset({"associationId", "privateIp"}),
    )

    def validate(self, inputs: Properties) -> None:
        if inputs.get("instance") and inputs.get("networkInterface"):
            reason = "only one of instance and networkInterface is possible"
            raise InvalidInputs(Refusal(path="instance", reason=reason))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        allocated = aws.ec2.allocate_address(
            Domain="vpc",
            TagSpecifications=specification("elastic-ip", inputs),
            **given(inputs, {"address": "Address"}),
        )
        identity = str(allocated["AllocationId"])
        _associate(aws, identity, inputs)
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = aws.ec2.describe_addresses(AllocationIds=[identity])["Addresses"]
        return _address_outputs(aws, found[0]) if found else None

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        names = ("instance", "networkInterface", "associateWithPrivateIp")
        if any(olds.get(name) != news.get(name) for name in names if news.get(name)):
            _disassociate(aws, olds.get("associationId"))
            _associate(aws, identity, news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        found = aws.ec2.describe_addresses(AllocationIds=[identity])["Addresses"]
        # As the real provider does: an association goes first.
        _disassociate(aws, found[0].get("AssociationId") if found else None)
        aws.ec2.release_address(AllocationId=identity)

    def _settle(self) -> None:
        self.world.apply_network()


def _associate(aws: Scope, allocation: str, inputs: Properties) -> str | None:
    names = {
        "instance": "InstanceId",
        "instanceId": "InstanceId",
        "networkInterface": "NetworkInterfaceId",
        "networkInterfaceId": "NetworkInterfaceId",
        "associateWithPrivateIp": "PrivateIpAddress",
        "privateIpAddress": "PrivateIpAddress",
        "allowReassociation": "AllowReassociation",
    }
    arguments = given(inputs, names)
    if "InstanceId" not in arguments and "NetworkInterfaceId" not in arguments:
        return None
    answer = aws.ec2.associate_address(AllocationId=allocation, **arguments)
    return str(answer["AssociationId"])


def _disassociate(aws: Scope, association: str | None) -> None:
    if association:
        aws.ec2.disassociate_address(AssociationId=association)


def _dns(address: str) -> str:
    return f"ec2-{address.replace('.', '-')}.compute-1.amazonaws.com"


def _address_outputs(aws: Scope, found: dict[str, Any]) -> Properties:
    identity = found["AllocationId"]
    attributes = aws.ec2.describe_addresses_attribute(
        AllocationIds=[identity], Attribute="domain-name"
    )["Addresses"]
    return {
        "allocationId": identity,
        "arn": f"arn:aws:ec2:{aws.region}:{ACCOUNT_ID}:elastic-ip/{identity}",
        "associationId": found.get("AssociationId") or None,
        "domain": found["Domain"],
        "instance": found.get("InstanceId") or None,
        "networkInterface": found.get("NetworkInterfaceId") or None,
        "privateIp": found.get("PrivateIpAddress") or None,
        "ptrRecord": attributes[0].get("PtrRecord") if attributes else None,
        "publicDns": _dns(found["PublicIp"]),
        "publicIp": found["PublicIp"],
        "tagsAll": tag_map(found.get("Tags")),
    }


class EipAssociation(AwsResource):
    kind = "aws:ec2/eipAssociation:EipAssociation"
    traits = Traits(
        replace=frozenset(
            {
                "allocationId",
                "allowReassociation",
                "instanceId",
                "networkInterfaceId",
                "privateIpAddress",
                "publicIp",
                "region",
            }
        )
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        association = _associate(aws, inputs["allocationId"], inputs)
        if association is None:
            reason = "instanceId or networkInterfaceId is required"
            raise InvalidInputs(Refusal(path="instanceId", reason=reason))
        return association

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        by_association = [{"Name": "association-id", "Values": [identity]}]
        found = aws.ec2.describe_addresses(Filters=by_association)["Addresses"]
        if not found:
            return None
        return {
            "allocationId": found[0]["AllocationId"],
            "instanceId": found[0].get("InstanceId") or None,
            "networkInterfaceId": found[0].get("NetworkInterfaceId") or None,
            "privateIpAddress": found[0].get("PrivateIpAddress") or None,
            "publicIp": found[0]["PublicIp"],
        }

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        _disassociate(aws, identity)

    def _settle(self) -> None:
        self.world.apply_network()


class EipDomainName(AwsResource):
    """The PTR record of an Elastic IP."""

    kind = "aws:ec2/eipDomainName:EipDomainName"
    traits = Traits(
        replace=frozenset({"allocationId", "region"}), volatile=frozenset({"ptrRecord"})
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        allocation = str(inputs["allocationId"])
        aws.ec2.modify_address_attribute(AllocationId=allocation, DomainName=inputs["domainName"])
        return allocation

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.ec2.describe_addresses_attribute(
            AllocationIds=[identity], Attribute="domain-name"
        )
        record = answer["Addresses"][0].get("PtrRecord")
        if not record:
            return None
        written = str(known.get("domainName", "")).rstrip(".").lower()
        same = record.rstrip(".") == written
        return {
            "allocationId": identity,
            "ptrRecord": record,
            "domainName": known["domainName"] if same else record.rstrip("."),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        aws.ec2.modify_address_attribute(AllocationId=identity, DomainName=news["domainName"])

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.reset_address_attribute(AllocationId=identity, Attribute="domain-name")

    def _settle(self) -> None:
        self.world.publish_dns()


RESOURCES = [Eip, EipAssociation, EipDomainName]
