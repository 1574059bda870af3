# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Network interfaces, which outlive the instances that use them."""

from standins.pulumi.aws.resource import AwsResource, Scope, given, specification, tag_map
from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Change, Traits
from standins.pulumi.schema import Refusal


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


RESOURCES = [NetworkInterface]
