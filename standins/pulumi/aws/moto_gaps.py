"""What moto lacks or simplifies and the sandbox's program leans on, put into it by the import.

Elastic IPs come from the sandbox's own range, may belong to a secondary private address and carry a
PTR record; images are checked, and an alarm that takes missing data for a breach fires at once.
"""

from ipaddress import ip_network
from itertools import islice
from typing import Any

from moto import settings
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import (
    EC2Backend,
    amis,
    ec2_backends,
    elastic_ip_addresses,
    elastic_network_interfaces,
)
from moto.ec2.responses import EC2Response
from moto.elasticache.exceptions import ElastiCacheException
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.sns.models import SNSBackend

from standins.pulumi.aws import balancer_rules, service_rules  # noqa: F401 - their rules go into moto
from standins.pulumi.aws.account import ACCOUNT_ID
from standins.pulumi.aws.ec2_rules import held, pointer
from standins.pulumi.aws.rules import Moto, after, instead, refuse
from standins.pulumi.aws.tables import table

instead(settings, "ENABLE_AMI_VALIDATION")(True)
amis.AMIS.extend(table("images")["images"])
instead(CloudWatchResponse, "put_composite_alarm")(CloudWatchResponse.put_metric_alarm)


def use_range(elastic_range: str) -> None:
    """Elastic IPs come from it in order, so that a just released one does not come back at once."""
    # Low addresses of the range are for the sandbox's own use.
    free = [str(address) for address in list(ip_network(elastic_range).hosts())[9:]]

    @instead(elastic_ip_addresses, "random_ip")
    def allocate() -> str:
        address = free.pop(0)
        free.append(address)
        return address


@after(SNSBackend, "subscribe")
@after(SNSBackend, "unsubscribe")
def _confirm(sns: Moto, _: Moto) -> None:
    """The sandbox's subscribers confirm at once; moto counts none and misspells the field."""
    for topic in sns.topics.values():
        topic.subscriptions_confimed = sum(
            each.topic is topic for each in sns.subscriptions.values()
        )


@after(EC2Backend, "run_instances")
def _place_by_interface(_: Moto, reservation: Moto) -> None:
    """An instance runs in its interface's zone; moto looks at a subnet in the request alone."""
    for instance in reservation.instances:
        for eni in instance.nics.values():
            instance.placement.zone = eni.subnet.availability_zone


@after(EC2Backend, "terminate_instances")
def _free_interfaces(ec2: Moto, _: Moto) -> None:
    """An interface that an instance was given outlives it.

    The terminated instance keeps its own view of it, without which moto cannot describe it.
    """
    for eni in ec2.enis.values():
        if eni.instance is not None and eni.instance._state.name == "terminated":
            eni.instance = eni.attachment_id = eni.attach_time = eni.device_index = None
            eni.status = "available"


@after(CloudWatchBackend, "put_metric_alarm")
def _fire_without_data(cloudwatch: Moto, alarm: Moto) -> None:
    """Source: how CloudWatch alarms treat missing data; EC2's own metrics always come."""
    queries = alarm.metric_data_queries or []
    read = [query.metric_stat.metric for query in queries if query.metric_stat] or [alarm]
    heard = (
        metric.namespace.startswith("AWS/")
        or any(
            (each.namespace, each.name) == (metric.namespace, metric.metric_name)
            and sorted(each.dimensions) == sorted(metric.dimensions)
            for each in cloudwatch.metric_data
        )
        for metric in read
    )
    if alarm.treat_missing_data == "breaching" and not all(heard):
        alarm.update_state("no datapoints", None, "ALARM")


@instead(elastic_network_interfaces, "random_private_ip")
def _free_address(cidr: str) -> str:
    """AWS takes the first four addresses of a subnet itself; moto chooses any, also a used one."""
    every = (held(eni) for ec2 in ec2_backends[ACCOUNT_ID].values() for eni in ec2.enis.values())
    used = set().union(*every)
    return next(str(each) for each in islice(ip_network(cidr), 4, None) if str(each) not in used)


# Elastic IPs


def _private_address(self: Moto) -> str | None:
    chosen: str | None = getattr(self, "chosen_address", None)
    return chosen or (self.eni.private_ip_address if self.eni else None)


instead(elastic_ip_addresses.ElasticAddress, "private_ip_address")(property(_private_address))
_moto_associate_address = EC2Response.associate_address


@instead(EC2Response, "associate_address")
def _associate_address(self: Moto) -> ActionResult:
    """Takes the private address, and refuses one that another Elastic IP holds."""
    backend, wanted = self.ec2_backend, self._get_param("PrivateIpAddress")
    eni = backend.get_network_interface(self._get_param("NetworkInterfaceId"))
    wanted = wanted or eni.private_ip_address
    if wanted not in held(eni):
        refuse("address not on interface", address=wanted, id=eni.id)
    for each in backend.addresses:
        if each.eni is eni and each.private_ip_address == wanted:
            refuse("interface associated", id=eni.id, address=each.public_ip)
    result = _moto_associate_address(self)
    for each in backend.addresses:
        if each.allocation_id == self._get_param("AllocationId"):
            each.chosen_address = wanted
    return result


@after(EC2Backend, "unassign_private_ip_addresses")
def _drop_lost_associations(ec2: Moto, _: Moto) -> None:
    """An Elastic IP goes with the private address that it belonged to."""
    for each in ec2.addresses:
        if each.eni is not None and each.private_ip_address not in held(each.eni):
            ec2.disassociate_address(association_id=each.association_id)


@after(EC2Backend, "disassociate_address")
def _forget_private_address(ec2: Moto, _: Moto) -> None:
    for each in ec2.addresses:
        if not each.association_id:
            each.chosen_address = None


# PTR records


@instead(EC2Response, "modify_address_attribute")
def _modify_address_attribute(self: Moto) -> ActionResult:
    address = _named_address(self)
    name = str(self._get_param("DomainName")).rstrip(".").lower()
    pointer(self.current_account, address.public_ip, name)
    address.ptr_record = f"{name}."
    return ActionResult({"Address": _attribute(address)})


@instead(EC2Response, "reset_address_attribute")
def _reset_address_attribute(self: Moto) -> ActionResult:
    address = _named_address(self)
    address.ptr_record = None
    return ActionResult({"Address": _attribute(address)})


def _named_address(self: Moto) -> Moto:
    return self.ec2_backend.address_by_allocation([self._get_param("AllocationId")])[0]


@instead(EC2Response, "describe_addresses_attribute")
def _describe_addresses_attribute(self: Moto) -> ActionResult:
    addresses = self.ec2_backend.describe_addresses(self._get_param("AllocationIds", []))
    return ActionResult({"Addresses": [_attribute(each) for each in addresses]})


def _attribute(address: Moto) -> dict[str, Any]:
    record = getattr(address, "ptr_record", None)
    attribute = {"PublicIp": address.public_ip, "AllocationId": address.allocation_id}
    return {**attribute, "PtrRecord": record} if record else attribute


ElastiCacheBackend.user_groups = {}  # type: ignore[attr-defined]


@instead(ElastiCacheResponse, "create_user_group")
def _create_user_group(request: Moto) -> ActionResult:
    backend, asked = request.elasticache_backend, request._get_params()
    users = [user for name in asked["UserIds"] for user in backend.describe_users(name)]
    if not any(user.name == "default" for user in users):
        raise ElastiCacheException("DefaultUserRequired", "A group needs a user named default.")
    arn = f"arn:aws:elasticache:{request.region}:{request.current_account}:usergroup:"
    group = {**asked, "Status": "active", "ARN": arn + asked["UserGroupId"]}
    backend.user_groups[asked["UserGroupId"]] = group
    return ActionResult(group)


@instead(ElastiCacheResponse, "describe_user_groups")
def _user_groups(request: Moto) -> ActionResult:
    found = request.elasticache_backend.user_groups.get(request._get_param("UserGroupId"))
    return ActionResult({"UserGroups": [found] if found else []})


@instead(ElastiCacheResponse, "delete_user_group")
def _delete_user_group(request: Moto) -> ActionResult:
    return ActionResult(
        request.elasticache_backend.user_groups.pop(request._get_param("UserGroupId"))
    )


@after(ElastiCacheBackend, "delete_user")
def _forget_user(backend: Moto, user: Moto) -> None:
    """The provider waits until a user is gone; moto keeps it until somebody asks for it."""
    backend.users.pop(user.id, None)


@after(ElastiCacheBackend, "delete_replication_group")
def _forget_servers(backend: Moto, group: Moto) -> None:
    """As above; moto keeps them for ever."""
    backend.replication_groups.pop(group.replication_group_id, None)


@instead(ElastiCacheResponse, "delete_cache_subnet_group")
def _delete_subnet_group(request: Moto) -> EmptyResult:
    groups = request.elasticache_backend.cache_subnet_groups
    del groups[request._get_param("CacheSubnetGroupName")]
    return EmptyResult()
