"""What EC2 rejects because of what the account already has.

A rule without a source follows the error codes of EC2's documentation.
"""

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.route53.models import route53_backends

from standins.pulumi.aws.conditions import CONDITIONS
from standins.pulumi.aws.rules import Asked, Moto, before, refuse

# Addresses


@before(EC2Backend, "allocate_address")
def _address_limit(ec2: Moto, _: Asked) -> None:
    """All stacks of the region count."""
    if len(ec2.addresses) >= CONDITIONS.elastic_ips:
        refuse("address limit")


@before(EC2Backend, "release_address")
def _address_in_use(ec2: Moto, asked: Asked) -> None:
    for each in ec2.addresses:
        if each.allocation_id == asked.get("allocation_id"):
            if getattr(each, "ptr_record", None):
                refuse("address locked", id=each.allocation_id)
            if each.association_id:
                refuse("address in use", address=each.public_ip)


@before(EC2Backend, "create_network_interface")
def _private_address_taken(ec2: Moto, asked: Asked) -> None:
    items = asked.get("private_ip_addresses") or []
    wanted = {str(item["PrivateIpAddress"]) for item in items}
    subnet = getattr(asked["subnet"], "id", asked["subnet"])
    for eni in ec2.enis.values():
        for address in sorted(wanted & held(eni)) if eni.subnet.id == subnet else ():
            refuse("address in use", address=address)


@before(EC2Backend, "assign_private_ip_addresses")
def _secondary_address_taken(ec2: Moto, asked: Asked) -> None:
    """Source: AllowReassignment of AssignPrivateIpAddresses."""
    wanted = set(asked.get("private_ip_addresses") or [])
    own = ec2.get_network_interface(asked["eni_id"])
    for eni in ec2.enis.values():
        if eni is not own and eni.subnet.id == own.subnet.id:
            for address in sorted(wanted & held(eni)):
                refuse("address assigned", address=address)


def held(eni: Moto) -> set[str]:
    """The private addresses of an interface."""
    return {str(item["PrivateIpAddress"]) for item in eni.private_ip_addresses}


def pointer(account: str, address: str, name: str) -> None:
    """Source: reverse DNS for Elastic IPs; AWS looks the A record up from outside."""
    if address not in _forward_addresses(account, name):
        refuse("no forward record", name=name, address=address)
    if CONDITIONS.too_early(("ptr", address, name), CONDITIONS.public_after):
        refuse("forward record not public", name=name, address=address)


def _forward_addresses(account: str, name: str) -> set[str]:
    return {
        value
        for zone in route53_backends[account]["aws"].zones.values()
        for record in zone.rrsets
        if record.type == "A" and record.name.rstrip(".").lower() == name
        for value in record.records
    }


# Instances and disks


@before(EC2Backend, "run_instances")
def _launch(ec2: Moto, asked: Asked) -> None:
    kind, eni = str(asked["instance_type"]), _interface(ec2, asked)
    if eni is not None and eni.instance is not None:
        refuse("interface in use at launch", id=eni.id, instance=eni.instance.id)
    zone = None if eni is None else str(eni.subnet.availability_zone)
    offered = {
        item["Location"]
        for item in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(ec2.region_name, [])
        if item["InstanceType"] == kind
    }
    if zone and zone not in offered:
        refuse("type not in zone", kind=kind, zone=zone, offered=", ".join(sorted(offered)))
    running = [
        instance.instance_type
        for instance in ec2.all_instances()
        if instance._state.name in ("pending", "running")
    ]
    if sum(map(_vcpus, [*running, kind])) > CONDITIONS.vcpus:
        refuse("vcpu limit", limit=CONDITIONS.vcpus)
    profile = asked.get("iam_instance_profile_name")
    if profile and CONDITIONS.too_early(("profile", profile), CONDITIONS.known_after):
        refuse("profile not known", profile=profile)


def _interface(ec2: Moto, asked: Asked) -> Moto | None:
    nic: dict[str, Any] = next(iter(asked.get("nics") or []), {})
    identity = nic.get("NetworkInterfaceId")
    return ec2.get_network_interface(identity) if identity else None


def _vcpus(kind: str) -> int:
    return int(INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"])


@before(EC2Backend, "attach_volume")
def _attachment(ec2: Moto, asked: Asked) -> None:
    volume, instance = ec2.get_volume(asked["volume_id"]), ec2.get_instance(asked["instance_id"])
    if volume.attachment is not None:
        holder = volume.attachment.instance.id
        refuse("volume in use", id=volume.id, instance=holder)
    if volume.availability_zone != instance.placement.zone:
        refuse("volume in another zone", id=volume.id, instance=instance.id)


# Things in use


@before(EC2Backend, "delete_security_group")
def _group_in_use(ec2: Moto, asked: Asked) -> None:
    identity = asked.get("group_id")
    for eni in ec2.enis.values():
        if any(group.id == identity for group in eni._group_set):
            refuse("group in use", id=identity, user=eni.id)
    for group in ec2.describe_security_groups():
        rules = [*group.ingress_rules, *group.egress_rules]
        named = [(rule.source_group or {}).get("GroupId") for rule in rules]
        if group.id != identity and identity in named:
            refuse("group in use", id=identity, user=group.id)


@before(EC2Backend, "delete_subnet")
def _subnet_in_use(ec2: Moto, asked: Asked) -> None:
    for eni in ec2.enis.values():
        if eni.subnet.id == asked["subnet_id"]:
            refuse("subnet in use", id=eni.subnet.id, user=eni.id)


@before(EC2Backend, "delete_vpc")
def _vpc_in_use(ec2: Moto, asked: Asked) -> None:
    for group in ec2.describe_security_groups(filters={"vpc-id": [asked["vpc_id"]]}):
        if group.name != "default":
            refuse("vpc in use", id=asked["vpc_id"], user=group.id)


@before(EC2Backend, "delete_network_interface")
def _interface_in_use(ec2: Moto, asked: Asked) -> None:
    eni = ec2.get_network_interface(asked["eni_id"])
    if eni.instance is not None:
        refuse("interface in use", id=eni.id, instance=eni.instance.id)


@before(EC2Backend, "detach_internet_gateway")
def _gateway_in_use(ec2: Moto, asked: Asked) -> None:
    for address in ec2.addresses:
        if address.eni is not None and address.eni.subnet.vpc_id == asked["vpc_id"]:
            refuse("gateway in use", vpc=asked["vpc_id"])
