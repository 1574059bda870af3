"""Functions of the aws provider: find existing resources by what the program knows."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from standins.pulumi.aws.account import api_errors, region_of
from standins.pulumi.aws.kinds import Lookup, fill, lookups
from standins.pulumi.aws.resource import Scope
from standins.pulumi.aws.tables import table
from standins.pulumi.aws.world import World
from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Call
from standins.pulumi.schema import Refusal, function_arguments, suggestion
from standins.pulumi.server import Function


def functions(world: World) -> dict[str, Function]:
    """The functions by token."""
    every = {**{token: _of_table(row) for token, row in lookups().items()}, **_ODD}
    return {token: _function(world, token, look_up) for token, look_up in every.items()}


_LookUp = Callable[[Scope, Properties], Properties]


def _function(world: World, token: str, look_up: _LookUp) -> Function:
    def invoke(call: Call, arguments: Properties) -> Properties:
        known = function_arguments(token)
        for name in arguments:
            if name not in known:
                reason = f"unknown argument{suggestion(name, known)}"
                raise InvalidInputs(Refusal(path=name, reason=reason))
        with api_errors():
            result = look_up(Scope(world.account, call, arguments), arguments)
        region = region_of(call.config, arguments)
        digest = hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()
        return {"region": region, **arguments, "id": digest[:12], **result}

    return invoke


def _of_table(row: Lookup) -> _LookUp:
    def look_up(aws: Scope, arguments: Properties) -> Properties:
        for name in sorted(set(arguments) - row.arguments - {"region"}):
            raise InvalidInputs(Refusal(path=name, reason="not known to the sandbox"))
        tags = arguments.get("instanceTags") or {}
        by_tag = [{"Name": f"tag:{name}", "Values": [value]} for name, value in tags.items()]
        found = row.call.run(aws.client(row.service), {**arguments, "tagFilters": by_tag})
        if row.one:
            found = _only(found, row.one)
        return {name: fill(expression, found) for name, expression in row.result.items()}

    return look_up


def _only(found: list[Any], what: str) -> Any:
    if not found:
        raise ProviderError(f"no matching {what} found")
    if len(found) > 1:
        raise ProviderError(f"multiple {what}s matched; use additional constraints")
    return found[0]


def _zone(aws: Scope, arguments: Properties) -> Properties:
    route53 = aws.client("route53")
    zones = route53.get_paginator("list_hosted_zones").paginate().build_full_result()
    name, identity = arguments.get("name"), arguments.get("zoneId")
    wanted = str(name).rstrip(".").lower() if name else None
    matching = [
        zone
        for zone in zones["HostedZones"]
        if wanted in (None, zone["Name"].rstrip("."))
        and identity in (None, zone["Id"].rsplit("/", 1)[-1])
        and not zone["Config"].get("PrivateZone")
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
        "nameServers": servers,
    }


def _records(aws: Scope, arguments: Properties) -> Properties:
    pages = aws.client("route53").get_paginator("list_resource_record_sets")
    expression = (
        "[].{name: Name, type: Type, ttl: TTL, resourceRecords: ResourceRecords[].{value: Value}}"
    )
    found = pages.paginate(HostedZoneId=arguments["zoneId"]).build_full_result()
    return {
        "id": arguments["zoneId"],
        "resourceRecordSets": fill(expression, found["ResourceRecordSets"]),
    }


def _quota(aws: Scope, arguments: Properties) -> Properties:
    conditions = aws.account.conditions
    known = {"L-0263D0A3": conditions.elastic_ips, "L-1216C47A": conditions.vcpus}
    code = arguments["quotaCode"]
    if arguments["serviceCode"] != "ec2" or code not in known:
        raise ProviderError(f"api error NoSuchResourceException: quota {code}")
    return {"id": code, "quotaCode": code, "value": known[code], "adjustable": True}


def _parameter(_: Scope, arguments: Properties) -> Properties:
    name, known = arguments["name"], table("images")["parameters"]
    if name not in known:
        raise ProviderError(f"api error ParameterNotFound: {name}")
    value = known[name]
    return {"id": name, "value": value, "insecureValue": value, "type": "String", "version": 1}


_ODD: Mapping[str, _LookUp] = {
    "aws:route53/getRecords:getRecords": _records,
    "aws:route53/getZone:getZone": _zone,
    "aws:servicequotas/getServiceQuota:getServiceQuota": _quota,
    "aws:ssm/getParameter:getParameter": _parameter,
}
