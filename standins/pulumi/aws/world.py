"""Applies the account's state to the machine: all of it is read from the API each time."""

from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import ip_network
from operator import itemgetter
from typing import Any

from botocore.exceptions import ClientError
from moto.route53.models import route53_backends

from standins.pulumi.aws.account import ACCOUNT_ID, Account, Client, Coalesced, absent
from standins.pulumi.aws.rules import Moto
from standins.pulumi.errors import ProviderError
from standins.pulumi.hosts import Balancer, Hosts, Interface, Network, Record, Rule, Zone

BALANCER = "ELB "
"""What the descriptions of a balancer's interfaces begin with; after it comes its ARN."""
_ALIAS_TTL = 60


class World:
    """The machine behind an account."""

    def __init__(self, account: Account, hosts: Hosts) -> None:
        self.account = account
        self.hosts = hosts
        self.apply_network = Coalesced(self._apply_network)
        self.publish_dns = Coalesced(self._publish_dns)
        self.balance = Coalesced(self._balance)

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
        aliases: dict[str, tuple[str, ...]] = {}
        for region in self.account.regions("elbv2"):
            clients = (self.account.client(name, region, paced=False) for name in ("elbv2", "ec2"))
            aliases |= balancer_names(*clients)
        reverse: dict[str, str] = {}
        for region in self.account.regions("ec2"):
            reverse |= pointers_of(self.account.client("ec2", region, paced=False))
        self.hosts.publish_dns(zones_of(aliases), reverse)

    def _balance(self) -> None:
        for region in self.account.regions("elbv2"):
            elb, ec2 = (self.account.client(name, region, paced=False) for name in ("elbv2", "ec2"))
            try:
                for balancer in balancers_of(elb, ec2):
                    self.hosts.balance(balancer)
            except ClientError as error:
                # Removed meanwhile, as its targets are: that removal ends the balancing.
                if not absent(error):
                    raise


def network_of(ec2: Client, vpc: str) -> Network:
    """The VPC as the machine's network sees it."""
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    described = sorted(
        ec2.describe_network_interfaces(Filters=of_vpc)["NetworkInterfaces"],
        key=itemgetter("NetworkInterfaceId"),
    )
    # After the interfaces: a subnet may have been made a moment ago, with an interface in it.
    subnets = {
        item["SubnetId"]: item["CidrBlock"]
        for item in ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    }
    interfaces = tuple(interface_of(item, subnets[item["SubnetId"]]) for item in described)
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
        # A network load balancer has none; moto knows no interface without one.
        groups=frozenset()
        if described["Description"].startswith(BALANCER)
        else frozenset(group["GroupId"] for group in described["Groups"]),
    )


def interfaces_named(ec2: Client, description: str) -> tuple[Interface, ...]:
    """The interfaces with that description."""
    asked = [{"Name": "description", "Values": [description]}]
    return tuple(
        interface_of(
            found,
            ec2.describe_subnets(SubnetIds=[found["SubnetId"]])["Subnets"][0]["CidrBlock"],
        )
        for found in ec2.describe_network_interfaces(Filters=asked)["NetworkInterfaces"]
    )


def balancers_of(elb: Client, ec2: Client) -> Iterator[Balancer]:
    """Each network load balancer that has a listener."""
    for found in elb.describe_load_balancers()["LoadBalancers"]:
        arn = found["LoadBalancerArn"]
        for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            group = listener["DefaultActions"][0]["TargetGroupArn"]
            (asked,) = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
            health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            targets = sorted((each["Target"]["Id"], each["Target"]["Port"]) for each in health)
            yield Balancer(
                interfaces=interfaces_named(ec2, f"{BALANCER}{arn}"),
                port=listener["Port"],
                targets=tuple(targets),
                path=asked["HealthCheckPath"],
                seconds=asked["HealthCheckIntervalSeconds"],
                healthy=asked["HealthyThresholdCount"],
                unhealthy=asked["UnhealthyThresholdCount"],
            )


def balancer_names(elb: Client, ec2: Client) -> dict[str, tuple[str, ...]]:
    """The public addresses of each balancer by its name; not all while it is made or removed."""
    public = {
        address.get("NetworkInterfaceId"): address["PublicIp"]
        for address in ec2.describe_addresses()["Addresses"]
    }
    interfaces = ec2.describe_network_interfaces()["NetworkInterfaces"]
    return {
        found["DNSName"].lower(): tuple(
            public[each["NetworkInterfaceId"]]
            for each in interfaces
            if each["Description"] == f"{BALANCER}{found['LoadBalancerArn']}"
            and each["NetworkInterfaceId"] in public
        )
        for found in elb.describe_load_balancers()["LoadBalancers"]
    }


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


def zones_of(aliases: Mapping[str, tuple[str, ...]]) -> list[Zone]:
    """Every hosted zone with its record sets, except those its name server adds itself.

    Out of moto's own state: the API's pages would take seconds for each of a thousand records.
    An alias has the addresses of its target.
    """
    return [
        Zone(
            name=zone.name.rstrip("."),
            records=tuple(
                _alias(item, aliases) if item.alias_target else _record(item)
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


def _alias(item: Moto, aliases: Mapping[str, tuple[str, ...]]) -> Record:
    target = item.alias_target["DNSName"].rstrip(".").lower()
    return Record(
        name=item.name.rstrip("."),
        type=item.type,
        ttl=_ALIAS_TTL,
        values=aliases.get(target, ()),
    )


def pointers_of(ec2: Client) -> dict[str, str]:
    """Reverse names of Elastic IPs."""
    answer = ec2.describe_addresses_attribute(Attribute="domain-name")
    return {
        item["PublicIp"]: item["PtrRecord"].rstrip(".")
        for item in answer["Addresses"]
        if item.get("PtrRecord")
    }
