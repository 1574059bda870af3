"""One public identity: an Elastic IP with its forward and reverse names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.account_checks import AccountChecks
from components.tagging import named
from components.zones import Zone
from policy.dns.plan import TTL


@dataclass(frozen=True, kw_only=True)
class PublicAddressArgs:
    """`names` get A records; `reverse` makes the first of them the PTR as well."""

    network_interface_id: pulumi.Input[str]
    private_address: str
    names: tuple[str, ...]
    reverse: bool
    zone: Zone
    allocation_id: str | None
    protect: bool
    tags: Mapping[str, str]
    routed: Sequence[pulumi.Resource]
    """The route to the internet, without which AWS associates no Elastic IP."""
    adopted: frozenset[str]
    """Names whose existing records are overwritten."""
    checks: AccountChecks
    shares: tuple[str, ...] = ()
    """All private addresses of the interface, if this is a secondary one: a change of that list
    briefly removes every secondary address, and its Elastic IP with it."""


class PublicAddress(pulumi.ComponentResource):
    """An Elastic IP translated to one private address.

    Creates:
    - an Elastic IP, unless an existing one is set, and its association
    - an A record for each name, and at the end, for an EHLO name, the PTR: AWS sets it only once
      the forward record has been public for a while, and no host waits for that
    """

    public_ip: pulumi.Output[str]
    association: pulumi.Resource
    """Resources that must exist before the host behind it can reach the internet."""

    def __init__(
        self, name: str, args: PublicAddressArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:PublicAddress", name, None, opts)
        eip = self._elastic_ip(name, args)
        self.public_ip = eip.public_ip
        self.association = aws.ec2.EipAssociation(
            f"{name}-association",
            allocation_id=args.checks.before_association(eip.allocation_id)
            if args.allocation_id
            else eip.allocation_id,
            network_interface_id=args.network_interface_id,
            private_ip_address=args.private_address,
            # Sources that swap places would claim each other's address while it is in use.
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=True,
                depends_on=list(args.routed),
                replacement_trigger=list(args.shares) or None,
                hooks=args.checks.association if args.allocation_id else None,
            ),
        )
        records = [
            aws.route53.Record(
                f"{name}-a-{host_name}",
                zone_id=args.zone.id,
                name=host_name,
                type="A",
                ttl=TTL,
                records=[eip.public_ip],
                allow_overwrite=host_name in args.adopted or None,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    hooks=args.checks.record(
                        f"{name}-a-{host_name}", name, args.zone, host_name, "A"
                    ),
                ),
            )
            for host_name in args.names
        ]
        self._name, self._args, self._eip, self._forward = name, args, eip, records[:1]
        self.register_outputs({"public_ip": self.public_ip})

    def set_reverse(self, hook: pulumi.ErrorHook, after: Sequence[pulumi.Resource]) -> None:
        """Creates the PTR of an EHLO name, after everything that must not wait for it."""
        if self._args.reverse:
            aws.ec2.EipDomainName(
                f"{self._name}-ptr",
                allocation_id=self._eip.allocation_id,
                domain_name=self._args.names[0],
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[*self._forward, *after],
                    hooks=pulumi.ResourceHookBinding(on_error=[hook]),
                ),
            )

    def _elastic_ip(self, name: str, args: PublicAddressArgs) -> aws.ec2.Eip:
        if args.allocation_id is not None:
            return aws.ec2.Eip.get(
                f"{name}-eip", args.allocation_id, opts=pulumi.ResourceOptions(parent=self)
            )
        return aws.ec2.Eip(
            f"{name}-eip",
            domain=args.checks.before_address("vpc"),
            tags=named(args.tags, args.names[0]),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                retain_on_delete=args.protect,
                hooks=args.checks.address,
            ),
        )
