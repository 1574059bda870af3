"""The Valkey server in which several MTA hosts count their limits together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.tagging import named
from policy.contract import LIMITS_PORT, LIMITS_USER

# What kumod asks for: its throttles and leases are scripts over these commands.
_COMMANDS = (
    "ping",
    "command|info",
    "evalsha",
    "script|load",
    "time",
    "get",
    "set",
    "zadd",
    "zcard",
    "zrange",
    "zrangebyscore",
    "zrem",
    "zremrangebyscore",
)


@dataclass(frozen=True, kw_only=True)
class SharedLimitsArgs:
    """Inputs of the server."""

    label: str
    """The environment's part of names that must be unique in the account."""
    node_type: str
    subnet_ids: Sequence[pulumi.Input[str]]
    """One in each zone."""
    security_group_id: pulumi.Input[str]
    password: pulumi.Output[str]
    tags: Mapping[str, str]


class SharedLimits(pulumi.ComponentResource):
    """ElastiCache for Valkey in two zones, over TLS, for one user with a password.

    It keeps nothing that must survive: after a loss the limits begin anew.

    Creates:
    - a subnet group
    - a user, with no command but those that kumod needs, and its user group
    - a replication group with a primary and a replica in the other zone
    """

    address: pulumi.Output[str]
    """The name of the primary, whichever zone it is in."""

    def __init__(
        self, name: str, args: SharedLimitsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:SharedLimits", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = named(args.tags, name)
        subnets = aws.elasticache.SubnetGroup(
            f"{name}-subnets",
            name=args.label,
            description=f"Subnets of {name}",
            subnet_ids=args.subnet_ids,
            tags=tags,
            opts=child,
        )
        user = aws.elasticache.User(
            f"{name}-user",
            user_id=args.label,
            user_name=LIMITS_USER,
            engine="valkey",
            access_string=f"on ~* -@all {' '.join(f'+{command}' for command in _COMMANDS)}",
            passwords=[args.password],
            tags=tags,
            opts=child,
        )
        users = aws.elasticache.UserGroup(
            f"{name}-users",
            user_group_id=args.label,
            engine="valkey",
            user_ids=[user.user_id],
            tags=tags,
            opts=child,
        )
        group = aws.elasticache.ReplicationGroup(
            f"{name}-group",
            replication_group_id=args.label,
            description=f"Limits that the MTA hosts of {name} share",
            engine="valkey",
            engine_version="8.0",
            parameter_group_name="default.valkey8",
            node_type=args.node_type,
            num_cache_clusters=2,
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            port=LIMITS_PORT,
            subnet_group_name=subnets.name,
            security_group_ids=[args.security_group_id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            user_group_ids=[users.user_group_id],
            apply_immediately=True,
            tags=tags,
            opts=child,
        )
        self.address = group.primary_endpoint_address
        self.register_outputs({"address": self.address})
