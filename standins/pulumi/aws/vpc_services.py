"""What AWS itself runs in the VPC, with interfaces of its own: shared limits and the balancer."""

from typing import Any

from moto.elasticache.models import elasticache_backends

from standins.pulumi.aws.account import ACCOUNT_ID
from standins.pulumi.aws.resource import AwsResource, Scope
from standins.pulumi.aws.world import BALANCER, interfaces_named
from standins.pulumi.hosts import Limits
from standins.pulumi.properties import Properties

_LIMITS = "ElastiCache "
_PORT = 6379


class ReplicationGroup(AwsResource):
    """The server of the shared limits, in the first of its subnets."""

    def made(self, aws: Scope, inputs: Properties) -> str:
        identity = super().made(aws, inputs)
        groups = aws.client("elasticache").describe_cache_subnet_groups(
            CacheSubnetGroupName=inputs["subnetGroupName"]
        )["CacheSubnetGroups"]
        aws.ec2.create_network_interface(
            SubnetId=groups[0]["Subnets"][0]["SubnetIdentifier"],
            Groups=inputs.get("securityGroupIds") or [],
            Description=f"{_LIMITS}{identity}",
        )
        (interface,) = interfaces_named(aws.ec2, f"{_LIMITS}{identity}")
        found = self.found(aws, identity, inputs) or {}
        self.world.hosts.share_limits(
            Limits(
                name=found["primaryEndpointAddress"],
                interface=interface,
                port=int(inputs.get("port") or _PORT),
                users=_users(aws, inputs["userGroupIds"]),
            )
        )
        self.world.apply_network()
        return identity

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        super().removed(aws, identity, state)
        self.world.hosts.share_limits(None)
        _unplug(aws, f"{_LIMITS}{identity}")
        self.world.apply_network()


class LoadBalancer(AwsResource):
    """An interface with an Elastic IP in each subnet."""

    def made(self, aws: Scope, inputs: Properties) -> str:
        identity = super().made(aws, inputs)
        for mapping in inputs["subnetMappings"]:
            made = aws.ec2.create_network_interface(
                SubnetId=mapping["subnetId"], Description=f"{BALANCER}{identity}"
            )
            aws.ec2.associate_address(
                AllocationId=mapping["allocationId"],
                NetworkInterfaceId=made["NetworkInterface"]["NetworkInterfaceId"],
            )
        self.world.apply_network()
        return identity

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        super().removed(aws, identity, state)
        self.world.hosts.balance(None)
        _unplug(aws, f"{BALANCER}{identity}")
        self.world.apply_network()


def _users(aws: Scope, groups: list[str]) -> tuple[str, ...]:
    """Rules of an ACL; the API does not tell passwords."""
    backend: Any = elasticache_backends[ACCOUNT_ID][aws.region]
    users = [
        backend.users[one] for group in groups for one in backend.user_groups[group]["UserIds"]
    ]
    return tuple(
        f"{user.name} reset {user.access_string} {' '.join(f'>{word}' for word in user.passwords)}"
        for user in users
    )


def _unplug(aws: Scope, description: str) -> None:
    for interface in interfaces_named(aws.ec2, description):
        for address in aws.ec2.describe_addresses()["Addresses"]:
            if address.get("NetworkInterfaceId") == interface.name:
                aws.ec2.disassociate_address(AssociationId=address["AssociationId"])
        aws.ec2.delete_network_interface(NetworkInterfaceId=interface.name)
