"""Applies the account's state to the machine: all of it is read from the API each time."""

from functools import cache
from ipaddress import ip_network
from operator import itemgetter
from typing import Any

from moto.route53.models import route53_backends

from standins.pulumi.aws.account import ACCOUNT_ID, Account, Client, Coalesced
from standins.pulumi.aws.rules import Moto
from standins.pulumi.errors import ProviderError
from standins.pulumi.hosts import Hosts, Interface, Network, Record, Rule, Zone


class World:
    """The machine behind an account."""

    def __init__(self, account: Account, hosts: Hosts) -> None:
        self.account = account
        self.hosts = hosts
        self.apply_network = Coalesced(self._apply_network)
        self.publish_dns = Coalesced(self._publish_dns)

    def _apply_network(self) -> None:
        clients = [
            self.account.client("ec2", region, paced=False)
            for region in self.account.regions("ec2")
        ]
        used = {
            interface["VpcId"]: ec2
            for ec2 in clients
            for interface in ec2.describe_network_interfaces()["NetworkInterfaces"]
        }
        if len(used) > 1:
            raise ProviderError(
                "the sandbox's machine has room for one VPC with hosts, not"
                f" {', '.join(sorted(used))}"
            )
        for vpc, ec2 in used.items():
            self.hosts.apply_network(network_of(ec2, vpc))

    def _publish_dns(self) -> None:
        reverse: dict[str, str] = {}
        for region in self.account.regions("ec2"):
            reverse |= pointers_of(self.account.client("ec2", region, paced=False))
        self.hosts.publish_dns(zones_of(), reverse)


def network_of(ec2: Client, vpc: str) -> Network:
    """The VPC as the machine's network sees it."""
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    subnets = {
        item["SubnetId"]: item["CidrBlock"]
        for item in ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    }
    interfaces = tuple(
        interface_of(item, subnets[item["SubnetId"]])
        for item in sorted(
            ec2.describe_network_interfaces(Filters=of_vpc)["NetworkInterfaces"],
            key=itemgetter("NetworkInterfaceId"),
        )
    )
    held = {address for interface in interfaces for address in interface.addresses}
    groups = {group for interface in interfaces for group in interface.groups}
    rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
    return Network(
        vpc=ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"],
        interfaces=interfaces,
        rules=tuple(
            _rule(item)
            for item in sorted(rules, key=itemgetter("SecurityGroupRuleId"))
            if item["GroupId"] in groups
        ),
        elastic={
            item["PublicIp"]: item["PrivateIpAddress"]
            for item in ec2.describe_addresses()["Addresses"]
            if item.get("AssociationId") and item.get("PrivateIpAddress") in held
        },
    )


def interface_of(described: dict[str, Any], cidr: str) -> Interface:
    """A network interface as the machine's network sees it; its name is its id."""
    primary = described["PrivateIpAddress"]
    addresses = [item["PrivateIpAddress"] for item in described["PrivateIpAddresses"]]
    return Interface(
        name=described["NetworkInterfaceId"],
        address=primary,
        prefix=ip_network(cidr).prefixlen,
        secondary=tuple(address for address in addresses if address != primary),
        groups=frozenset(group["GroupId"] for group in described["Groups"]),
    )


def _rule(described: dict[str, Any]) -> Rule:
    protocol = str(described["IpProtocol"])
    every = protocol == "-1"
    return Rule(
        group=described["GroupId"],
        direction="egress" if described["IsEgress"] else "ingress",
        protocol=protocol,
        from_port=None if every else described.get("FromPort"),
        to_port=None if every else described.get("ToPort"),
        cidr=described.get("CidrIpv4"),
        peer_group=(described.get("ReferencedGroupInfo") or {}).get("GroupId"),
    )


def zones_of() -> list[Zone]:
    """Every hosted zone with its record sets, except those its name server adds itself.

    Out of moto's own state: the API's pages would take seconds for each of a thousand records.
    """
    return [
        Zone(
            name=zone.name.rstrip("."),
            records=tuple(
                _record(item)
                for item in zone.rrsets
                if item.name != zone.name or item.type not in ("SOA", "NS")
            ),
        )
        for zone in list(route53_backends[ACCOUNT_ID]["aws"].zones.values())
    ]


@cache
def _record(item: Moto) -> Record:
    """Moto puts another object in the place of a record set that changes."""
    return Record(
        name=item.name.rstrip("."), type=item.type, ttl=item.ttl, values=tuple(item.records)
    )


def pointers_of(ec2: Client) -> dict[str, str]:
    """Reverse names of Elastic IPs."""
    answer = ec2.describe_addresses_attribute(Attribute="domain-name")
    return {
        item["PublicIp"]: item["PtrRecord"].rstrip(".")
        for item in answer["Addresses"]
        if item.get("PtrRecord")
    }
