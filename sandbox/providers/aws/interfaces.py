# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Network interfaces and Elastic IPs, which outlive the instances that use them."""

from typing import Any

from sandbox.providers.aws.account import ACCOUNT_ID
from sandbox.providers.aws.resource import AwsResource, Scope, given, specification, tag_map
from sandbox.providers.errors import InvalidInputs
from sandbox.providers.properties import Properties
from sandbox.providers.resource import Change, Traits
from sandbox.providers.schema import Refusal


class NetworkInterface(AwsResource):
    kind = "aws:ec2/networkInterface:NetworkInterface"
    traits = Traits(
        replace=frozenset({"subnetId", "interfaceType", "region"}),
        sets=frozenset({"privateIps", "securityGroups"}),
        volatile=frozenset({"privateIps", "privateIpLists"}),
    )

    def validate(self, inputs: Properties) -> None:
        for name in ("attachments", "ipv6Addresses"):
            if inputs.get(name):
                raise InvalidInputs(Refusal(path=name, reason="not known to the sandbox"))
        if bool(inputs.get("privateIpLists")) != bool(inputs.get("privateIpListEnabled")):
            reason = "goes with privateIpListEnabled, and that with it"
            raise InvalidInputs(Refusal(path="privateIpLists", reason=reason))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        # A list keeps its order, the primary address first; a set does not.
        addresses = inputs.get("privateIpLists") or inputs.get("privateIps") or []
        if inputs.get("privateIp"):
            addresses = [inputs["privateIp"], *addresses]
        arguments: Properties = {
            "SubnetId": inputs["subnetId"],
            "TagSpecifications": specification("network-interface", inputs),
            **given(inputs, {"description": "Description", "securityGroups": "Groups"}),
        }
        if addresses:
            arguments["PrivateIpAddresses"] = [
                {"PrivateIpAddress": address, "Primary": index == 0}
                for index, address in enumerate(addresses)
            ]
        if inputs.get("privateIpsCount"):
            arguments["SecondaryPrivateIpAddressCount"] = int(inputs["privateIpsCount"])
        created = aws.ec2.create_network_interface(**arguments)
        identity = str(created["NetworkInterface"]["NetworkInterfaceId"])
        if inputs.get("sourceDestCheck") is not None:
            _set_source_check(aws, identity, inputs["sourceDestCheck"])
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[identity])
        found = answer["NetworkInterfaces"][0]
        addresses = [item["PrivateIpAddress"] for item in found["PrivateIpAddresses"]]
        owner = found["OwnerId"]
        return {
            "arn": f"arn:aws:ec2:{aws.region}:{owner}:network-interface/{identity}",
            "description": found.get("Description") or None,
            "macAddress": found["MacAddress"],
            "ownerId": owner,
            "privateDnsName": found.get("PrivateDnsName"),
            "privateIp": found["PrivateIpAddress"],
            "privateIps": addresses,
            "privateIpLists": addresses,
            "privateIpListEnabled": known.get("privateIpListEnabled") or None,
            "privateIpsCount": len(addresses) - 1,
            "securityGroups": [group["GroupId"] for group in found["Groups"]],
            "sourceDestCheck": found["SourceDestCheck"],
            "subnetId": found["SubnetId"],
            "interfaceType": found.get("InterfaceType"),
            "tagsAll": tag_map(found.get("TagSet")),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._update_addresses(aws, identity, olds, news)
        if news.get("securityGroups") is not None:
            aws.ec2.modify_network_interface_attribute(
                NetworkInterfaceId=identity, Groups=news["securityGroups"]
            )
        if news.get("description") != olds.get("description"):
            aws.ec2.modify_network_interface_attribute(
                NetworkInterfaceId=identity, Description={"Value": news.get("description") or ""}
            )
        if news.get("sourceDestCheck") is not None:
            _set_source_check(aws, identity, news["sourceDestCheck"])

    def _update_addresses(
        self, aws: Scope, identity: str, olds: Properties, news: Properties
    ) -> None:
        """A set changes by its difference; a list gives every secondary address up first.

        With it go their Elastic IPs, though the associations' resources did not change: so does
        the real provider.
        """
        now = (self._read(aws, identity, olds) or {})["privateIps"]
        ordered = news.get("privateIpLists")
        if ordered is not None:
            if ordered != olds.get("privateIpLists"):
                _unassign(aws, identity, now[1:])
                for address in ordered[1:]:
                    _assign(aws, identity, [address])
        elif news.get("privateIps") is not None:
            _unassign(aws, identity, sorted({*now[1:]} - {*news["privateIps"]}))
            _assign(aws, identity, sorted({*news["privateIps"]} - {*now}))

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        """An interface keeps its primary address for life."""
        return [
            Change(name=each.name, kind=each.kind, replaces=True)
            if each.name in ("privateIps", "privateIpLists")
            and _loses_primary(each.name, olds, news)
            else each
            for each in super().changes(olds, news)
        ]

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.delete_network_interface(NetworkInterfaceId=identity)

    def _settle(self) -> None:
        self.world.apply_network()


def _loses_primary(name: str, olds: Properties, news: Properties) -> bool:
    before, after = olds.get(name), news.get(name)
    if not before or not isinstance(after, list) or not after:
        return False
    kept = after[:1] if name == "privateIpLists" else after
    return before[0] not in kept


def _assign(aws: Scope, identity: str, addresses: list[str]) -> None:
    if addresses:
        aws.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=identity, PrivateIpAddresses=addresses
        )


def _unassign(aws: Scope, identity: str, addresses: list[str]) -> None:
    if addresses:
        aws.ec2.unassign_private_ip_addresses(
            NetworkInterfaceId=identity, PrivateIpAddresses=addresses
        )


def _set_source_check(aws: Scope, identity: str, value: bool) -> None:
    aws.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=identity, SourceDestCheck={"Value": value}
    )


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


RESOURCES = [NetworkInterface, Eip, EipAssociation, EipDomainName]
