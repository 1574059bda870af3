"""What moto lacks or simplifies and the sandbox's program leans on, put into moto once.

Elastic IPs come from the sandbox's own range, may belong to a secondary private address, carry a
PTR record (which needs its forward record first) and are locked while they have one; what is still
in use cannot be deleted.
"""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend, amis, elastic_ip_addresses
from moto.ec2.responses import EC2Response
from moto.route53.models import Route53Backend, route53_backends
from moto.secretsmanager.models import SecretsManagerBackend

from standins.pulumi.aws import moto_rules
from standins.pulumi.aws.images import catalogue

Moto = Any

_ASSOCIATED_ADDRESS = "_associated_private_address"
_PTR = "_ptr_record"
_INSTALLED = "_sandbox_gaps"


def install(elastic_range: str) -> None:
    """Patches moto; again changes the range alone."""
    _replace(elastic_ip_addresses, "random_ip", _allocator(elastic_range))
    if hasattr(EC2Backend, _INSTALLED):
        return
    _replace(EC2Backend, _INSTALLED, True)
    amis.AMIS.extend(catalogue())
    _replace(CloudWatchResponse, "put_composite_alarm", CloudWatchResponse.put_metric_alarm)
    address = elastic_ip_addresses.ElasticAddress
    _replace(address, "private_ip_address", property(_private_address))
    _replace(EC2Response, "associate_address", _associate_address)
    _replace(EC2Response, "modify_address_attribute", _modify_address_attribute)
    _replace(EC2Response, "reset_address_attribute", _reset_address_attribute)
    _replace(EC2Response, "describe_addresses_attribute", _describe_addresses_attribute)
    _then("disassociate_address", _forget_private_address)
    _then("terminate_instances", _free_interfaces)
    _then("unassign_private_ip_addresses", _drop_lost_associations)
    _guard("allocate_address", moto_rules.too_many_addresses)
    _guard("run_instances", moto_rules.launch)
    _guard("create_network_interface", moto_rules.interface_address_taken)
    _guard("assign_private_ip_addresses", moto_rules.secondary_address_taken)
    _guard("detach_internet_gateway", moto_rules.gateway_in_use)
    _guard("change_resource_record_sets", moto_rules.record_exists, Route53Backend)
    _guard("create_secret", moto_rules.secret_in_recovery, SecretsManagerBackend)
    _guard("release_address", _refuse_release)
    _guard("delete_security_group", _refuse_security_group)
    _guard("delete_subnet", _refuse_subnet)
    _guard("delete_vpc", _refuse_vpc)
    _guard("delete_network_interface", _refuse_interface)
    _guard("attach_volume", _refuse_attachment)
    _guard("delete_volume", _refuse_volume)


def _replace(owner: Moto, name: str, value: Moto) -> None:
    setattr(owner, name, value)


def _allocator(elastic_range: str) -> Callable[[], str]:
    """Addresses in order, so that a just released one does not come back at once."""
    # Low addresses of the range are for the sandbox's own use.
    free = [str(address) for address in list(ip_network(elastic_range).hosts())[9:]]

    def allocate() -> str:
        address = free.pop(0)
        free.append(address)
        return address

    return allocate


def _guard(name: str, refuse: Callable[..., None], backend: Moto = EC2Backend) -> None:
    """Puts a refusal before a method of the backend."""
    original = getattr(backend, name)

    def guarded(self: Moto, *arguments: Moto, **named: Moto) -> Moto:
        refuse(self, *arguments, **named)
        return original(self, *arguments, **named)

    _replace(backend, name, guarded)


def _then(name: str, follow: Callable[[Moto], None]) -> None:
    """Puts an act on the backend after one of its methods."""
    original = getattr(EC2Backend, name)

    def followed(self: Moto, *arguments: Moto, **named: Moto) -> Moto:
        result = original(self, *arguments, **named)
        follow(self)
        return result

    _replace(EC2Backend, name, followed)


def _free_interfaces(self: Moto) -> None:
    """An interface that an instance was given outlives it.

    The terminated instance keeps its own view of it, without which moto cannot describe it.
    """
    for eni in self.enis.values():
        if eni.instance is not None and eni.instance._state.name == "terminated":
            eni.instance = eni.attachment_id = eni.attach_time = eni.device_index = None
            eni.status = "available"


# Elastic IPs


def _private_address(self: Moto) -> str | None:
    chosen: str | None = getattr(self, _ASSOCIATED_ADDRESS, None)
    return chosen or (self.eni.private_ip_address if self.eni else None)


_moto_associate_address = EC2Response.associate_address


def _associate_address(self: Moto) -> ActionResult:
    """Takes the private address, and refuses one that another Elastic IP holds."""
    backend, wanted = self.ec2_backend, self._get_param("PrivateIpAddress")
    interface = self._get_param("NetworkInterfaceId")
    eni = backend.get_network_interface(interface) if interface else None
    if eni is not None:
        held = [item["PrivateIpAddress"] for item in eni.private_ip_addresses]
        wanted = wanted or eni.private_ip_address
        if wanted not in held:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"private IP address {wanted} is not on network interface {eni.id}",
            )
        others = [each for each in backend.addresses if each.eni is eni]
        taken = [each for each in others if each.private_ip_address == wanted]
        if taken and not self._get_param("AllowReassociation", False):
            raise EC2ClientError(
                "Resource.AlreadyAssociated",
                f"resource {eni.id} is already associated with address {taken[0].public_ip}",
            )
        for each in taken:
            backend.disassociate_address(association_id=each.association_id)
    result = _moto_associate_address(self)
    for each in backend.addresses:
        if each.allocation_id == self._get_param("AllocationId"):
            setattr(each, _ASSOCIATED_ADDRESS, wanted)
    return result


def _drop_lost_associations(self: Moto) -> None:
    """An Elastic IP goes with the private address that it belonged to."""
    for each in self.addresses:
        if each.eni is not None:
            held = [item["PrivateIpAddress"] for item in each.eni.private_ip_addresses]
            if each.private_ip_address not in held:
                self.disassociate_address(association_id=each.association_id)


def _forget_private_address(self: Moto) -> None:
    for each in self.addresses:
        if not each.association_id:
            setattr(each, _ASSOCIATED_ADDRESS, None)


def _refuse_release(self: Moto, address: Any = None, allocation_id: Any = None) -> None:
    for each in self.addresses:
        if each.public_ip == address or each.allocation_id == allocation_id:
            if getattr(each, _PTR, None):
                raise EC2ClientError(
                    "InvalidAddress.Locked",
                    f"The address with allocation id [{each.allocation_id}] cannot be released"
                    " because it is locked to your account: remove its reverse DNS record first",
                )
            if each.association_id:
                raise EC2ClientError(
                    "InvalidIPAddress.InUse", f"Address {each.public_ip} is in use."
                )


# PTR records


def _modify_address_attribute(self: Moto) -> ActionResult:
    address = self.ec2_backend.address_by_allocation([self._get_param("AllocationId")])[0]
    name = str(self._get_param("DomainName")).rstrip(".").lower()
    if address.public_ip not in _forward_addresses(self.current_account, name):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The domain name {name} has no A record with the address {address.public_ip}:"
            " a reverse DNS record needs its forward record first",
        )
    moto_rules.pointer_too_early(address.public_ip, name)
    setattr(address, _PTR, f"{name}.")
    return ActionResult({"Address": _attribute(address)})


def _reset_address_attribute(self: Moto) -> ActionResult:
    address = self.ec2_backend.address_by_allocation([self._get_param("AllocationId")])[0]
    setattr(address, _PTR, None)
    return ActionResult({"Address": _attribute(address)})


def _describe_addresses_attribute(self: Moto) -> ActionResult:
    addresses = self.ec2_backend.describe_addresses(self._get_param("AllocationIds", []))
    return ActionResult({"Addresses": [_attribute(each) for each in addresses]})


def _attribute(address: Moto) -> dict[str, Any]:
    record = getattr(address, _PTR, None)
    attribute = {"PublicIp": address.public_ip, "AllocationId": address.allocation_id}
    return {**attribute, "PtrRecord": record} if record else attribute


def _forward_addresses(account: str, name: str) -> set[str]:
    """Addresses of the name in public zones."""
    zones = route53_backends[account]["aws"].zones.values()
    return {
        value
        for zone in zones
        if not zone.private_zone
        for record in zone.rrsets
        if record.type == "A" and record.name.rstrip(".").lower() == name
        for value in record.records
    }


# Things in use


def _violation(what: str, user: str) -> EC2ClientError:
    return EC2ClientError("DependencyViolation", f"{what} has a dependent object ({user})")


def _refuse_security_group(
    self: Moto,
    name: Any = None,  # noqa: ARG001
    group_id: Any = None,
) -> None:
    for eni in self.enis.values():
        if any(group.id == group_id for group in eni._group_set):
            raise _violation(f"resource {group_id}", eni.id)
    for group in self.describe_security_groups():
        rules = [*group.ingress_rules, *group.egress_rules]
        named = [(rule.source_group or {}).get("GroupId") for rule in rules]
        if group.id != group_id and group_id in named:
            raise _violation(f"resource {group_id}", group.id)


def _refuse_subnet(self: Moto, subnet_id: str) -> None:
    for eni in self.enis.values():
        if eni.subnet.id == subnet_id:
            raise _violation(f"The subnet '{subnet_id}'", eni.id)


def _refuse_vpc(self: Moto, vpc_id: str) -> None:
    for subnet in self.describe_subnets(filters={"vpc-id": [vpc_id]}):
        raise _violation(f"The vpc '{vpc_id}'", subnet.id)
    for group in self.describe_security_groups(filters={"vpc-id": [vpc_id]}):
        if group.name != "default":
            raise _violation(f"The vpc '{vpc_id}'", group.id)


def _refuse_interface(self: Moto, eni_id: str) -> None:
    eni = self.get_network_interface(eni_id)
    if eni.instance is not None and eni.instance._state.name != "terminated":
        raise EC2ClientError(
            "InvalidNetworkInterface.InUse",
            f"Network interface '{eni_id}' is currently in use by {eni.instance.id}.",
        )


def _refuse_attachment(
    self: Moto, volume_id: str, instance_id: str, *_arguments: Moto, **_named: Moto
) -> None:
    volume = self.get_volume(volume_id)
    if volume.attachment is not None:
        raise EC2ClientError(
            "VolumeInUse",
            f"{volume_id} is already attached to an instance ({volume.attachment.instance.id})",
        )
    if volume.availability_zone != self.get_instance(instance_id).placement.zone:
        raise EC2ClientError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume_id}' is not in the same availability zone as instance"
            f" '{instance_id}'",
        )


def _refuse_volume(self: Moto, volume_id: str) -> None:
    volume = self.get_volume(volume_id)
    if volume.attachment is not None:
        raise EC2ClientError(
            "VolumeInUse",
            f"Volume {volume_id} is currently attached to {volume.attachment.instance.id}",
        )
