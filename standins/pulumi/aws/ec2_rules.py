"""What EC2 rejects because of what the account already has.

A rule without a source follows the error codes of EC2's documentation.
"""

from typing import Any, NoReturn

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.route53.models import route53_backends

from standins.pulumi.aws.conditions import CONDITIONS
from standins.pulumi.aws.rules import Asked, Moto, Rules

RULES = Rules()


def refuse(code: str, message: str) -> NoReturn:
    """Answers with an error of EC2."""
    raise EC2ClientError(code, message)


# Addresses


@RULES.before(EC2Backend, "allocate_address")
def _address_limit(ec2: Moto, _: Asked) -> None:
    """All stacks of the region count."""
    if len(ec2.addresses) >= CONDITIONS.elastic_ips:
        refuse("AddressLimitExceeded", "The maximum number of addresses has been reached.")


@RULES.before(EC2Backend, "release_address")
def _address_in_use(ec2: Moto, asked: Asked) -> None:
    for each in ec2.addresses:
        if each.allocation_id == asked.get("allocation_id"):
            if getattr(each, "ptr_record", None):
                refuse(
                    "InvalidAddress.Locked",
                    f"The address with allocation id [{each.allocation_id}] cannot be released"
                    " because it is locked to your account: remove its reverse DNS record first",
                )
            if each.association_id:
                refuse("InvalidIPAddress.InUse", f"Address {each.public_ip} is in use.")


@RULES.before(EC2Backend, "create_network_interface")
def _private_address_taken(ec2: Moto, asked: Asked) -> None:
    items = asked.get("private_ip_addresses") or []
    wanted = {str(item["PrivateIpAddress"]) for item in items}
    subnet = getattr(asked["subnet"], "id", asked["subnet"])
    for eni in ec2.enis.values():
        for address in sorted(wanted & held(eni)) if eni.subnet.id == subnet else ():
            refuse("InvalidIPAddress.InUse", f"Address {address} is in use.")


@RULES.before(EC2Backend, "assign_private_ip_addresses")
def _secondary_address_taken(ec2: Moto, asked: Asked) -> None:
    """Source: AllowReassignment of AssignPrivateIpAddresses."""
    wanted = set(asked.get("private_ip_addresses") or [])
    own = ec2.get_network_interface(asked["eni_id"])
    for eni in ec2.enis.values():
        if eni is not own and eni.subnet.id == own.subnet.id:
            for address in sorted(wanted & held(eni)):
                refuse(
                    "InvalidParameterValue",
                    f"[{address}] has been assigned, but move is not allowed.",
                )


def held(eni: Moto) -> set[str]:
    """The private addresses of an interface."""
    return {str(item["PrivateIpAddress"]) for item in eni.private_ip_addresses}


def pointer(account: str, address: str, name: str) -> None:
    """Source: reverse DNS for Elastic IPs; AWS looks the A record up from outside."""
    if address not in _forward_addresses(account, name):
        refuse(
            "InvalidParameterValue",
            f"The domain name {name} has no A record with the address {address}:"
            " a reverse DNS record needs its forward record first",
        )
    if CONDITIONS.too_early(("ptr", address, name), CONDITIONS.public_after):
        refuse(
            "InvalidParameterValue",
            f"The domain name {name} does not resolve to the IP address {address} yet: a forward"
            " record must be public before its reverse record is set",
        )


def _forward_addresses(account: str, name: str) -> set[str]:
    return {
        value
        for zone in route53_backends[account]["aws"].zones.values()
        for record in zone.rrsets
        if record.type == "A" and record.name.rstrip(".").lower() == name
        for value in record.records
    }


# Instances and disks


@RULES.before(EC2Backend, "run_instances")
def _launch(ec2: Moto, asked: Asked) -> None:
    kind, eni = str(asked["instance_type"]), _interface(ec2, asked)
    if eni is not None and eni.instance is not None:
        refuse(
            "InvalidNetworkInterface.InUse",
            f"Interface: [{eni.id}] in use by {eni.instance.id}",
        )
    zone = None if eni is None else str(eni.subnet.availability_zone)
    offered = {
        item["Location"]
        for item in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(ec2.region_name, [])
        if item["InstanceType"] == kind
    }
    if zone and zone not in offered:
        refuse(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested"
            f" Availability Zone ({zone}). Please retry your request by not specifying an"
            f" Availability Zone or choosing {', '.join(sorted(offered))}.",
        )
    running = [
        instance.instance_type
        for instance in ec2.all_instances()
        if instance._state.name in ("pending", "running")
    ]
    if sum(map(_vcpus, [*running, kind])) > CONDITIONS.vcpus:
        refuse(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of"
            f" {CONDITIONS.vcpus} allows for the instance bucket that the specified instance type"
            " belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an"
            " adjustment to this limit.",
        )
    profile = asked.get("iam_instance_profile_name")
    if profile and CONDITIONS.too_early(("profile", profile), CONDITIONS.known_after):
        refuse(
            "InvalidParameterValue",
            f"Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM"
            " Instance Profile name",
        )


def _interface(ec2: Moto, asked: Asked) -> Moto | None:
    nic: dict[str, Any] = next(iter(asked.get("nics") or []), {})
    identity = nic.get("NetworkInterfaceId")
    return ec2.get_network_interface(identity) if identity else None


def _vcpus(kind: str) -> int:
    return int(INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"])


@RULES.before(EC2Backend, "attach_volume")
def _attachment(ec2: Moto, asked: Asked) -> None:
    volume, instance = ec2.get_volume(asked["volume_id"]), ec2.get_instance(asked["instance_id"])
    if volume.attachment is not None:
        holder = volume.attachment.instance.id
        refuse("VolumeInUse", f"{volume.id} is already attached to an instance ({holder})")
    if volume.availability_zone != instance.placement.zone:
        refuse(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance"
            f" '{instance.id}'",
        )


# Things in use


def _dependent(what: str, user: str) -> NoReturn:
    refuse("DependencyViolation", f"{what} has a dependent object ({user})")


@RULES.before(EC2Backend, "delete_security_group")
def _group_in_use(ec2: Moto, asked: Asked) -> None:
    identity = asked.get("group_id")
    for eni in ec2.enis.values():
        if any(group.id == identity for group in eni._group_set):
            _dependent(f"resource {identity}", eni.id)
    for group in ec2.describe_security_groups():
        rules = [*group.ingress_rules, *group.egress_rules]
        named = [(rule.source_group or {}).get("GroupId") for rule in rules]
        if group.id != identity and identity in named:
            _dependent(f"resource {identity}", group.id)


@RULES.before(EC2Backend, "delete_subnet")
def _subnet_in_use(ec2: Moto, asked: Asked) -> None:
    for eni in ec2.enis.values():
        if eni.subnet.id == asked["subnet_id"]:
            _dependent(f"The subnet '{eni.subnet.id}'", eni.id)


@RULES.before(EC2Backend, "delete_vpc")
def _vpc_in_use(ec2: Moto, asked: Asked) -> None:
    for group in ec2.describe_security_groups(filters={"vpc-id": [asked["vpc_id"]]}):
        if group.name != "default":
            _dependent(f"The vpc '{asked['vpc_id']}'", group.id)


@RULES.before(EC2Backend, "delete_network_interface")
def _interface_in_use(ec2: Moto, asked: Asked) -> None:
    eni = ec2.get_network_interface(asked["eni_id"])
    if eni.instance is not None:
        refuse(
            "InvalidNetworkInterface.InUse",
            f"Network interface '{eni.id}' is currently in use by {eni.instance.id}.",
        )


@RULES.before(EC2Backend, "detach_internet_gateway")
def _gateway_in_use(ec2: Moto, asked: Asked) -> None:
    for address in ec2.addresses:
        if address.eni is not None and address.eni.subnet.vpc_id == asked["vpc_id"]:
            refuse(
                "DependencyViolation",
                f"Network {asked['vpc_id']} has some mapped public address(es). Please unmap those"
                " public address(es) before detaching the gateway.",
            )
