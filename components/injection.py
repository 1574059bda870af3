"""The name where PING8 injects: the MTA host itself, or a load balancer before several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.account_checks import AccountChecks
from components.tagging import named
from components.zones import Zone
from hostagent.contract import HEALTH_PATH
from policy.dns.plan import TTL

HTTPS = 443
_SECONDS = 10
_TIMES = 2


@dataclass(frozen=True, kw_only=True)
class Node:
    """One MTA host: where the balancer reaches it, and where the world does."""

    private: str
    public: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class InjectionArgs:
    """Inputs of the way in. `pushed` is every host's release: until then none would answer."""

    host_name: str
    zone: Zone
    nodes: Mapping[str, Node]
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    protect: bool
    tags: Mapping[str, str]
    adopted: frozenset[str]
    checks: AccountChecks
    routed: Sequence[pulumi.Resource]
    pushed: Sequence[pulumi.Resource]


class Injection(pulumi.ComponentResource):
    """One name for injection, whichever MTA host answers.

    Creates:
    - an A record: of the only MTA host, or an alias of the balancer
    - for several MTA hosts: a network load balancer with an Elastic IP in each subnet, its target
      group with every MTA host, and a listener on port 443. TLS ends on the hosts, which see the
      client's address and let it in by their own security group.
    """

    addresses: Sequence[pulumi.Output[str]]
    """What the name resolves to."""
    target_group: pulumi.Output[str] | None = None
    """The balancer's list of MTA hosts."""
    watched: Mapping[str, pulumi.Output[str]]
    """The balancer and its target group as CloudWatch's dimensions; none of one MTA host alone."""

    def __init__(
        self, name: str, args: InjectionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Injection", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        nodes = list(args.nodes.values())
        if len(nodes) == 1:
            self.addresses, self.watched = [pulumi.Output.from_input(nodes[0].public)], {}
            self._record(None)
        else:
            elastic = [self._elastic_ip(index) for index in range(len(args.subnet_ids))]
            self.addresses = [address.public_ip for address in elastic]
            balancer, group = self._balancer(elastic)
            self.watched = {"LoadBalancer": balancer.arn_suffix, "TargetGroup": group.arn_suffix}
            self._record(balancer)
        self.register_outputs({"addresses": list(self.addresses)})

    def _elastic_ip(self, index: int) -> aws.ec2.Eip:
        args, name = self._args, f"{self._name}-eip-{index}"
        return aws.ec2.Eip(
            name,
            domain=args.checks.before_address("vpc"),
            tags=named(args.tags, f"{args.host_name}-{index}"),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                retain_on_delete=args.protect,
                hooks=args.checks.address,
            ),
        )

    def _balancer(
        self, elastic: Sequence[aws.ec2.Eip]
    ) -> tuple[aws.lb.LoadBalancer, aws.lb.TargetGroup]:
        args, name = self._args, self._name
        balancer = aws.lb.LoadBalancer(
            f"{name}-balancer",
            load_balancer_type="network",
            subnet_mappings=[
                {"subnet_id": subnet, "allocation_id": address.allocation_id}
                for subnet, address in zip(args.subnet_ids, elastic, strict=True)
            ],
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=args.protect,
            tags=named(args.tags, name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.routed)),
        )
        group = self._target_group()
        self.target_group = group.arn
        for host, node in args.nodes.items():
            # By address, which a replacement of the instance keeps.
            aws.lb.TargetGroupAttachment(
                f"{name}-target-{host}",
                target_group_arn=group.arn,
                target_id=node.private,
                port=HTTPS,
                opts=self._child,
            )
        aws.lb.Listener(
            f"{name}-listener",
            load_balancer_arn=balancer.arn,
            port=HTTPS,
            protocol="TCP",
            default_actions=[{"type": "forward", "target_group_arn": group.arn}],
            tags=named(args.tags, name),
            opts=self._child,
        )
        return balancer, group

    def _target_group(self) -> aws.lb.TargetGroup:
        args, name = self._args, self._name
        return aws.lb.TargetGroup(
            f"{name}-hosts",
            vpc_id=args.vpc_id,
            target_type="ip",
            port=HTTPS,
            protocol="TCP",
            # Off by default for addresses. Nginx limits strangers by their address.
            preserve_client_ip="true",
            health_check={
                "protocol": "HTTPS",
                "port": str(HTTPS),
                "path": HEALTH_PATH,
                "matcher": "200",
                "interval": _SECONDS,
                "timeout": _SECONDS - 1,
                "healthy_threshold": _TIMES,
                "unhealthy_threshold": _TIMES,
            },
            # A draining host ends its own connections, each after its last answer.
            target_health_states=[{"enable_unhealthy_connection_termination": False}],
            tags=named(args.tags, name),
            opts=self._child,
        )

    def _record(self, balancer: aws.lb.LoadBalancer | None) -> None:
        args, name = self._args, f"{self._name}-a"
        aliases: list[aws.route53.RecordAliasArgsDict] | None = (
            None
            if balancer is None
            else [
                {
                    "name": balancer.dns_name,
                    "zone_id": balancer.zone_id,
                    "evaluate_target_health": False,
                }
            ]
        )
        aws.route53.Record(
            name,
            zone_id=args.zone.id,
            name=args.host_name,
            type="A",
            ttl=None if aliases else TTL,
            records=None if aliases else list(self.addresses),
            aliases=aliases,
            allow_overwrite=args.host_name in args.adopted or None,
            opts=pulumi.ResourceOptions(
                parent=self,
                # The name moves to the balancer once every host behind it has its release.
                depends_on=list(args.pushed) if aliases else None,
                hooks=args.checks.record(name, self._name, args.zone, args.host_name, "A"),
            ),
        )
