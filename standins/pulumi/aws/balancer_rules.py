"""What Elastic Load Balancing rejects because of what the account already has.

A rule without a source follows the errors that the API's model lists.
"""

from ipaddress import ip_address, ip_network

from moto.elbv2 import models
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.utils import make_arn_for_load_balancer
from moto.route53.models import Route53Backend

from standins.pulumi.aws.rules import Asked, Moto, before, instead
from standins.pulumi.aws.tables import table


@instead(models, "make_arn_for_load_balancer")
def _network_arn(**parts: str) -> str:
    """Moto names every balancer as if it were an application's."""
    return make_arn_for_load_balancer(**parts).replace(":loadbalancer/app/", ":loadbalancer/net/")


def _refuse(which: str, **values: object) -> None:
    code, message = table("refusals")[which]
    raise ELBClientError(code, message.format(**values))


@before(models.ELBv2Backend, "create_load_balancer")
def _placed(elb: Moto, asked: Asked) -> None:
    """Source: SubnetMappings of CreateLoadBalancer."""
    ec2, mappings = elb.ec2_backend, asked.get("subnet_mappings") or []
    subnets = [ec2.get_subnet(each["SubnetId"]) for each in mappings]
    zones = [subnet.availability_zone for subnet in subnets]
    if len({*zones}) < len(zones):
        _refuse("subnets in one zone")
    attached = {gateway.vpc and gateway.vpc.id for gateway in ec2.internet_gateways.values()}
    for subnet in subnets:
        if subnet.vpc_id not in attached:
            _refuse("no gateway", vpc=subnet.vpc_id)
    known = {each.allocation_id: each for each in ec2.addresses}
    for each in mappings:
        if each["AllocationId"] not in known:
            _refuse("allocation not known", id=each["AllocationId"])
        if known[each["AllocationId"]].association_id:
            _refuse("allocation in use", id=each["AllocationId"])


@before(models.ELBv2Backend, "delete_load_balancer")
def _protected(elb: Moto, asked: Asked) -> None:
    """Source: deletion_protection.enabled of LoadBalancerAttribute."""
    found = elb.load_balancers.get(asked["arn"])
    if found is not None and found.attrs["deletion_protection.enabled"] == "true":
        _refuse("balancer protected", arn=asked["arn"])


@before(models.ELBv2Backend, "register_targets")
def _inside(elb: Moto, asked: Asked) -> None:
    """Source: AvailabilityZone of TargetDescription."""
    group = elb.target_groups[asked["target_group_arn"]]
    vpc = elb.ec2_backend.get_vpc(group.vpc_id)
    for target in asked["instances"] if group.target_type == "ip" else ():
        if ip_address(target["Id"]) not in ip_network(vpc.cidr_block):
            _refuse("target outside", address=target["Id"], vpc=vpc.id)


@before(Route53Backend, "change_resource_record_sets")
def _alias(route53: Moto, asked: Asked) -> None:
    """Source: DNSName of AliasTarget."""
    balancers = {
        (found.dns_name.lower(), found.canonical_hosted_zone_id)
        for elb in models.elbv2_backends[route53.account_id].values()
        for found in elb.load_balancers.values()
    }
    for change in asked["change_list"]:
        target = change["ResourceRecordSet"].get("AliasTarget")
        if target and change["Action"] != "DELETE":
            place = target["DNSName"].rstrip(".").lower(), target["HostedZoneId"]
            if place not in balancers:
                _refuse("alias target", name=place[0], zone=place[1])
