"""Rules of AWS that depend on what an account already has, put before moto's own methods.

Each names its source. They run under the server's lock, so two updates side by side cannot both
take the last address.
"""

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.route53.exceptions import ResourceRecordAlreadyExists
from moto.secretsmanager.exceptions import InvalidRequestException

from standins.pulumi.aws.conditions import Conditions

Moto = Any

CONDITIONS = Conditions()
"""Moto's state is the process's, and so is what kind of account it is."""

_USES_VCPUS = ("pending", "running")


def too_many_addresses(self: Moto, *_: Moto, **__: Moto) -> None:
    """Source: error codes of EC2, AddressLimitExceeded; all stacks of the region count."""
    if len(self.addresses) >= CONDITIONS.elastic_ips:
        raise EC2ClientError(
            "AddressLimitExceeded", "The maximum number of addresses has been reached."
        )


def launch(self: Moto, *_: Moto, **asked: Moto) -> None:
    """Source: error codes of EC2: Unsupported, VcpuLimitExceeded, InvalidParameterValue."""
    kind = str(asked["instance_type"])
    nic: dict[str, Any] = next(iter(asked.get("nics") or []), {})
    zone = _zone(self, nic)
    offered = {
        item["Location"]
        for item in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(self.region_name, [])
        if item["InstanceType"] == kind
    }
    if zone and zone not in offered:
        raise EC2ClientError(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested"
            f" Availability Zone ({zone}). Please retry your request by not specifying an"
            f" Availability Zone or choosing {', '.join(sorted(offered))}.",
        )
    used = sum(
        _vcpus(instance.instance_type)
        for instance in self.all_instances()
        if instance._state.name in _USES_VCPUS
    )
    if used + _vcpus(kind) > CONDITIONS.vcpus:
        raise EC2ClientError(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of"
            f" {CONDITIONS.vcpus} allows for the instance bucket that the specified instance type"
            " belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an"
            " adjustment to this limit.",
        )
    profile = asked.get("iam_instance_profile_name")
    if profile and CONDITIONS.too_early(("profile", profile), CONDITIONS.known_after):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM"
            " Instance Profile name",
        )


def _zone(self: Moto, nic: dict[str, Any]) -> str | None:
    if nic.get("NetworkInterfaceId"):
        eni = self.get_network_interface(nic["NetworkInterfaceId"])
        return str(eni.subnet.availability_zone)
    if nic.get("SubnetId"):
        return str(self.get_subnet(nic["SubnetId"]).availability_zone)
    return None


def _vcpus(kind: str) -> int:
    return int(INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"])


def interface_address_taken(
    self: Moto, subnet: Moto, private_ip_address: Moto, *rest: Moto, **named: Moto
) -> None:
    """Source: error codes of EC2, InvalidIPAddress.InUse."""
    items = (rest[0] if rest else named.get("private_ip_addresses")) or []
    wanted = {str(item.get("PrivateIpAddress")) for item in items if isinstance(item, dict)}
    if isinstance(private_ip_address, str):
        wanted.add(private_ip_address)
    network = subnet if isinstance(subnet, str) else subnet.id
    for eni in self.enis.values():
        for address in sorted(wanted & _held(eni)) if eni.subnet.id == network else ():
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address} is in use.")


def secondary_address_taken(self: Moto, eni_id: str, *rest: Moto, **named: Moto) -> None:
    """Source: AllowReassignment of AssignPrivateIpAddresses."""
    wanted = set((rest[0] if rest else named.get("private_ip_addresses")) or [])
    own = self.get_network_interface(eni_id)
    for eni in self.enis.values():
        if eni.id != eni_id and eni.subnet.id == own.subnet.id:
            for address in sorted(wanted & _held(eni)):
                raise EC2ClientError(
                    "InvalidParameterValue",
                    f"[{address}] has been assigned, but move is not allowed.",
                )


def _held(eni: Moto) -> set[str]:
    return {str(item["PrivateIpAddress"]) for item in eni.private_ip_addresses}


def gateway_in_use(self: Moto, internet_gateway_id: str, vpc_id: str) -> None:  # noqa: ARG001
    """Source: error codes of EC2, DependencyViolation."""
    for address in self.addresses:
        if address.eni is not None and address.eni.subnet.vpc_id == vpc_id:
            raise EC2ClientError(
                "DependencyViolation",
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public"
                " address(es) before detaching the gateway.",
            )


def secret_in_recovery(self: Moto, name: str, *_: Moto, **__: Moto) -> None:
    """Source: DeleteSecret, RecoveryWindowInDays."""
    if name in self.secrets and self.secrets[name].is_deleted():
        raise InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled"
            " for deletion."
        )


def record_exists(self: Moto, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """Source: ChangeResourceRecordSets, Action CREATE."""
    held = {
        (record.name.rstrip(".").lower(), record.type)
        for record in self.get_hosted_zone(zoneid).rrsets
    }
    for change in change_list:
        record = change["ResourceRecordSet"]
        if change["Action"] == "CREATE" and (record["Name"].rstrip("."), record["Type"]) in held:
            raise ResourceRecordAlreadyExists(f"{record['Name'].rstrip('.')}.", record["Type"])


def pointer_too_early(address: str, name: str) -> None:
    """Source: reverse DNS for Elastic IPs; AWS looks the A record up from outside."""
    if CONDITIONS.too_early(("ptr", address, name), CONDITIONS.public_after):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The domain name {name} does not resolve to the IP address {address} yet: a forward"
            " record must be public before its reverse record is set",
        )
