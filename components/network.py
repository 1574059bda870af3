"""The VPC and its two public subnets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.tagging import named
from policy.settings.hosts import Network as NetworkSettings


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Inputs of the network."""

    network: NetworkSettings
    instance_types: tuple[str, ...]
    """The instance types of all hosts: a zone must offer each of them."""
    tags: Mapping[str, str]


class Network(pulumi.ComponentResource):
    """Public subnets in two zones. Every host has an Elastic IP, so there is no NAT gateway.

    Creates:
    - a VPC with an internet gateway and one route table with a default route
    - two subnets, each associated with that table
    """

    vpc_id: pulumi.Output[str]
    subnet_ids: tuple[pulumi.Output[str], ...]
    zones: tuple[pulumi.Output[str], ...]
    """Availability zones, by subnet."""
    routed: Sequence[pulumi.Resource]
    """Resources that must exist before a host can reach the internet."""

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.network.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=named(args.tags, name),
            opts=child,
        )
        gateway = aws.ec2.InternetGateway(
            f"{name}-gateway", vpc_id=vpc.id, tags=named(args.tags, name), opts=child
        )
        table = aws.ec2.RouteTable(
            f"{name}-routes", vpc_id=vpc.id, tags=named(args.tags, name), opts=child
        )
        route = aws.ec2.Route(
            f"{name}-internet",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=child,
        )
        subnets = []
        associations = []
        for index, (cidr, zone) in enumerate(
            zip(args.network.subnets, self._zones(args), strict=True)
        ):
            subnet = aws.ec2.Subnet(
                f"{name}-subnet-{index}",
                vpc_id=vpc.id,
                cidr_block=cidr,
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags=named(args.tags, f"{name}-{index}"),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # A zone that AWS adds later must not move existing subnets.
                    ignore_changes=None
                    if args.network.availability_zones
                    else ["availability_zone"],
                ),
            )
            associations.append(
                aws.ec2.RouteTableAssociation(
                    f"{name}-routes-{index}",
                    route_table_id=table.id,
                    subnet_id=subnet.id,
                    opts=child,
                )
            )
            subnets.append(subnet)
        self.vpc_id = vpc.id
        self.subnet_ids = tuple(subnet.id for subnet in subnets)
        self.zones = tuple(subnet.availability_zone for subnet in subnets)
        self.routed = (route, *associations)
        self.register_outputs({"vpc_id": self.vpc_id, "subnet_ids": list(self.subnet_ids)})

    def _zones(self, args: NetworkArgs) -> Sequence[pulumi.Input[str]]:
        network = args.network
        if network.availability_zones is not None:
            return network.availability_zones
        opts = pulumi.InvokeOutputOptions(parent=self)
        found = aws.get_availability_zones_output(
            state="available",
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
            opts=opts,
        )
        offers = aws.ec2.get_instance_type_offerings_output(
            location_type="availability-zone",
            filters=[{"name": "instance-type", "values": list(args.instance_types)}],
            opts=opts,
        )
        chosen = pulumi.Output.all(found.names, offers.instance_types, offers.locations).apply(
            lambda answers: choose_zones(args, *answers)
        )
        return [chosen[index] for index in range(len(network.subnets))]


def choose_zones(
    args: NetworkArgs, zones: Sequence[str], kinds: Sequence[str], places: Sequence[str]
) -> list[str]:
    """The first zones that offer every instance type; `kinds` and `places` are parallel."""
    offered = set(zip(kinds, places, strict=True))
    wanted = args.instance_types
    fit = [zone for zone in zones if all((kind, zone) in offered for kind in wanted)]
    count = len(args.network.subnets)
    if len(fit) < count:
        missing = sorted({kind for kind in wanted if kind not in kinds})
        which = f"; the region lacks {', '.join(missing)}" if missing else ""
        raise pulumi.RunError(
            f"network: {count} availability zones must offer {', '.join(wanted)}, and "
            f"{len(fit)} do{which}: choose other instance types or another region, or set "
            "network.availabilityZones"
        )
    return fit[:count]
