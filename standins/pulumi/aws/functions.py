"""Look-ups of the aws provider: what exists, found by what the program knows of it."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from standins.pulumi.aws.account import api_errors, region_of
from standins.pulumi.aws.images import parameters
from standins.pulumi.aws.policy_document import policy_document
from standins.pulumi.aws.resource import Scope, tag_map
from standins.pulumi.aws.world import World
from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Call
from standins.pulumi.schema import Refusal, function_arguments, suggestion
from standins.pulumi.server import Function

_Lookup = Callable[[Scope, Properties], Properties]


def functions(world: World) -> dict[str, Function]:
    """The functions by token."""
    return {token: _function(world, token, lookup) for token, lookup in _LOOKUPS.items()}


def _function(world: World, token: str, lookup: _Lookup) -> Function:
    def invoke(call: Call, arguments: Properties) -> Properties:
        known = function_arguments(token)
        for name in arguments:
            if name not in known:
                reason = f"unknown argument{suggestion(name, known)}"
                raise InvalidInputs(Refusal(path=name, reason=reason))
        with api_errors():
            result = lookup(Scope(world.account, call, arguments), arguments)
        region = region_of(call.config, arguments)
        return {"region": region, **arguments, "id": _identity(arguments), **result}

    return invoke


def _identity(arguments: Properties) -> str:
    return hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:12]


def _filters(arguments: Properties) -> list[Properties]:
    given = arguments.get("filters") or []
    filters = [{"Name": item["name"], "Values": item["values"]} for item in given]
    tags = arguments.get("tags") or {}
    return filters + [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def _only(found: list[Any], what: str) -> Any:
    if not found:
        raise ProviderError(f"no matching {what} found")
    if len(found) > 1:
        raise ProviderError(f"multiple {what}s matched; use additional constraints")
    return found[0]


def _caller(aws: Scope, arguments: Properties) -> Properties:  # noqa: ARG001
    identity = aws.client("sts").get_caller_identity()
    return {
        "accountId": identity["Account"],
        "arn": identity["Arn"],
        "userId": identity["UserId"],
        "id": identity["Account"],
    }


def _region(aws: Scope, arguments: Properties) -> Properties:
    region = arguments.get("region") or arguments.get("name") or aws.region
    return {
        "id": region,
        "name": region,
        "region": region,
        "endpoint": f"ec2.{region}.amazonaws.com",
        "description": region,
    }


def _partition(aws: Scope, arguments: Properties) -> Properties:  # noqa: ARG001
    return {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


def _availability_zones(aws: Scope, arguments: Properties) -> Properties:
    answer = aws.ec2.describe_availability_zones(Filters=_filters(arguments))
    state = arguments.get("state")
    zones = [
        zone
        for zone in answer["AvailabilityZones"]
        if (state is None or zone["State"] == state)
        and zone["ZoneName"] not in (arguments.get("excludeNames") or [])
    ]
    return {
        "id": aws.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": [aws.region],
    }


def _ami(aws: Scope, arguments: Properties) -> Properties:
    owners = {"Owners": arguments["owners"]} if arguments.get("owners") else {}
    images = aws.ec2.describe_images(Filters=_filters(arguments), **owners)["Images"]
    pattern = arguments.get("nameRegex")
    images = [item for item in images if pattern is None or re.search(pattern, item["Name"])]
    if arguments.get("mostRecent"):
        images = sorted(images, key=lambda item: str(item["CreationDate"]))[-1:]
    image = _only(images, "AMI")
    return {
        "id": image["ImageId"],
        "imageId": image["ImageId"],
        "name": image["Name"],
        "architecture": image["Architecture"],
        "ownerId": image["OwnerId"],
        "rootDeviceName": image.get("RootDeviceName"),
        "state": image["State"],
        "creationDate": str(image["CreationDate"]),
        "tags": tag_map(image.get("Tags")),
    }


def _zone(aws: Scope, arguments: Properties) -> Properties:
    route53 = aws.client("route53")
    pages = route53.get_paginator("list_hosted_zones").paginate()
    zones = [zone for page in pages for zone in page["HostedZones"]]
    name, identity = arguments.get("name"), arguments.get("zoneId")
    wanted = str(name).rstrip(".").lower() if name else None
    matching = [
        zone
        for zone in zones
        if (wanted is None or zone["Name"].rstrip(".") == wanted)
        and (identity is None or zone["Id"].rsplit("/", 1)[-1] == identity)
        and bool(zone["Config"].get("PrivateZone")) == bool(arguments.get("privateZone"))
    ]
    if not matching:
        raise ProviderError(f"no matching Route 53 Hosted Zone found for {name or identity}")
    zone = _only(matching, "Route 53 Hosted Zone")
    zone_id = zone["Id"].rsplit("/", 1)[-1]
    servers = route53.get_hosted_zone(Id=zone_id).get("DelegationSet", {}).get("NameServers", [])
    return {
        "id": zone_id,
        "zoneId": zone_id,
        "arn": f"arn:aws:route53:::hostedzone/{zone_id}",
        "name": zone["Name"].rstrip("."),
        "callerReference": zone.get("CallerReference"),
        "comment": zone["Config"].get("Comment"),
        "nameServers": servers,
        "primaryNameServer": servers[0] if servers else None,
        "resourceRecordSetCount": zone.get("ResourceRecordSetCount"),
    }


def _records(aws: Scope, arguments: Properties) -> Properties:
    route53 = aws.client("route53")
    pages = route53.get_paginator("list_resource_record_sets").paginate(
        HostedZoneId=arguments["zoneId"]
    )
    wanted = re.compile(arguments.get("nameRegex") or "")
    return {
        "id": arguments["zoneId"],
        "resourceRecordSets": [
            {
                "name": item["Name"],
                "type": item["Type"],
                "ttl": item.get("TTL"),
                "resourceRecords": [
                    {"value": value["Value"]} for value in item.get("ResourceRecords", [])
                ],
            }
            for page in pages
            for item in page["ResourceRecordSets"]
            if wanted.search(item["Name"])
        ],
    }


def _offerings(aws: Scope, arguments: Properties) -> Properties:
    kind = arguments.get("locationType") or "region"
    answer = aws.ec2.describe_instance_type_offerings(
        LocationType=kind, Filters=_filters(arguments)
    )
    found = answer["InstanceTypeOfferings"]
    return {
        "id": aws.region,
        "instanceTypes": [item["InstanceType"] for item in found],
        "locations": [item["Location"] for item in found],
        "locationTypes": [kind for _ in found],
    }


def _quota(aws: Scope, arguments: Properties) -> Properties:
    conditions = aws.account.conditions
    known = {"L-0263D0A3": conditions.elastic_ips, "L-1216C47A": conditions.vcpus}
    code = arguments["quotaCode"]
    if (arguments["serviceCode"], code) not in {("ec2", each) for each in known}:
        raise ProviderError(f"api error NoSuchResourceException: quota {code}")
    return {"id": code, "quotaCode": code, "value": known[code], "adjustable": True}


def _elastic_ip(aws: Scope, arguments: Properties) -> Properties:
    selectors: Properties = {"Filters": _filters(arguments)}
    if arguments.get("id"):
        selectors["AllocationIds"] = [arguments["id"]]
    if arguments.get("publicIp"):
        selectors["PublicIps"] = [arguments["publicIp"]]
    address = _only(aws.ec2.describe_addresses(**selectors)["Addresses"], "EC2 EIP")
    return {
        "id": address["AllocationId"],
        "publicIp": address["PublicIp"],
        "associationId": address.get("AssociationId") or None,
        "domain": address["Domain"],
        "instanceId": address.get("InstanceId") or None,
        "networkInterfaceId": address.get("NetworkInterfaceId") or None,
        "privateIp": address.get("PrivateIpAddress") or None,
        "tags": tag_map(address.get("Tags")),
    }


def _elastic_ips(aws: Scope, arguments: Properties) -> Properties:
    addresses = aws.ec2.describe_addresses(Filters=_filters(arguments))["Addresses"]
    return {
        "id": aws.region,
        "allocationIds": [item["AllocationId"] for item in addresses],
        "publicIps": [item["PublicIp"] for item in addresses],
    }


def _instance_type(aws: Scope, arguments: Properties) -> Properties:
    name = arguments["instanceType"]
    answer = aws.ec2.describe_instance_types(InstanceTypes=[name])
    found = _only(answer["InstanceTypes"], "EC2 Instance Type")
    network = found.get("NetworkInfo", {})
    return {
        "id": name,
        "supportedArchitectures": found.get("ProcessorInfo", {}).get("SupportedArchitectures"),
        "defaultVcpus": found.get("VCpuInfo", {}).get("DefaultVCpus"),
        "memorySize": found.get("MemoryInfo", {}).get("SizeInMiB"),
        "maximumNetworkInterfaces": network.get("MaximumNetworkInterfaces"),
        "maximumIpv4AddressesPerInterface": network.get("Ipv4AddressesPerInterface"),
    }


def _instances(aws: Scope, arguments: Properties) -> Properties:
    tags = arguments.get("instanceTags") or {}
    filters = [
        *_filters(arguments),
        {
            "Name": "instance-state-name",
            "Values": arguments.get("instanceStateNames") or ["running"],
        },
        *({"Name": f"tag:{name}", "Values": [value]} for name, value in tags.items()),
    ]
    found = aws.ec2.describe_instances(Filters=filters)["Reservations"]
    every = [item for each in found for item in each["Instances"]]
    return {
        "id": aws.region,
        "ids": [item["InstanceId"] for item in every],
        "privateIps": [item.get("PrivateIpAddress") for item in every],
        "publicIps": [item["PublicIpAddress"] for item in every if item.get("PublicIpAddress")],
    }


def _instance(aws: Scope, arguments: Properties) -> Properties:
    answer = aws.ec2.describe_instances(InstanceIds=[arguments["instanceId"]])
    found = _only(answer["Reservations"], "EC2 Instance")["Instances"][0]
    return {
        "id": found["InstanceId"],
        "instanceType": found["InstanceType"],
        "instanceState": found["State"]["Name"],
        "tags": tag_map(found.get("Tags")),
    }


def _parameter(aws: Scope, arguments: Properties) -> Properties:
    name = arguments["name"]
    public = parameters().get(name)
    if public is not None:
        return {
            "id": name,
            "value": public,
            "insecureValue": public,
            "type": "String",
            "version": 1,
        }
    found = aws.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    return {
        "id": name,
        "arn": found["ARN"],
        "value": found["Value"],
        "insecureValue": found["Value"] if found["Type"] == "String" else None,
        "type": found["Type"],
        "version": found["Version"],
    }


def _document(aws: Scope, arguments: Properties) -> Properties:  # noqa: ARG001
    return policy_document(arguments)


_LOOKUPS: Mapping[str, _Lookup] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:ec2/getAmi:getAmi": _ami,
    "aws:ec2/getElasticIp:getElasticIp": _elastic_ip,
    "aws:ec2/getEips:getEips": _elastic_ips,
    "aws:ec2/getInstance:getInstance": _instance,
    "aws:ec2/getInstances:getInstances": _instances,
    "aws:ec2/getInstanceType:getInstanceType": _instance_type,
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": _offerings,
    "aws:servicequotas/getServiceQuota:getServiceQuota": _quota,
    "aws:route53/getRecords:getRecords": _records,
    "aws:route53/getZone:getZone": _zone,
    "aws:ssm/getParameter:getParameter": _parameter,
    "aws:iam/getPolicyDocument:getPolicyDocument": _document,
}
