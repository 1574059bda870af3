# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Hosted zones and record sets; every change is published by the sandbox's name server."""

import random
import re
import time
from typing import Any

from standins.pulumi.aws.resource import AwsResource, Scope, given, tag_list, tag_map
from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import UNKNOWN, Properties, Value
from standins.pulumi.resource import Traits
from standins.pulumi.schema import Refusal

_LONGEST_STRING = 255
_POLL = 15
_PROPAGATION = 30
"""Seconds until a change is in sync; AWS says that it usually takes less than 60."""
_LONGEST_NAME = 253


class Zone(AwsResource):
    kind = "aws:route53/zone:Zone"
    traits = Traits(replace=frozenset({"name", "delegationSetId"}))

    def validate(self, inputs: Properties) -> None:
        if inputs.get("vpcs"):
            raise InvalidInputs(Refusal(path="vpcs", reason="the sandbox knows public zones only"))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        created = aws.client("route53").create_hosted_zone(
            Name=inputs["name"],
            CallerReference=aws.call.urn,
            HostedZoneConfig={"Comment": inputs.get("comment") or "Managed by Pulumi"},
        )
        identity = str(created["HostedZone"]["Id"].rsplit("/", 1)[-1])
        self._retag(aws, identity, {}, inputs.get("tagsAll") or {}, [])
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        route53 = aws.client("route53")
        answer = route53.get_hosted_zone(Id=identity)
        servers = answer.get("DelegationSet", {}).get("NameServers", [])
        tags = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=identity)
        name = answer["HostedZone"]["Name"].rstrip(".")
        return {
            "arn": f"arn:aws:route53:::hostedzone/{identity}",
            "comment": answer["HostedZone"].get("Config", {}).get("Comment"),
            # A final dot in the input means the same.
            "name": known["name"] if str(known.get("name", "")).rstrip(".") == name else name,
            "nameServers": servers,
            "primaryNameServer": servers[0] if servers else None,
            "zoneId": identity,
            "tagsAll": tag_map(tags["ResourceTagSet"].get("Tags")),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        changes: Properties = {}
        if put:
            changes["AddTags"] = tag_list(put)
        if drop:
            changes["RemoveTagKeys"] = drop
        if changes:
            aws.client("route53").change_tags_for_resource(
                ResourceType="hostedzone", ResourceId=identity, **changes
            )

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        if olds.get("comment") != news.get("comment"):
            aws.client("route53").update_hosted_zone_comment(
                Id=identity, Comment=news.get("comment") or ""
            )

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("route53").delete_hosted_zone(Id=identity)

    def _settle(self) -> None:
        self.world.publish_dns()


class Record(AwsResource):
    kind = "aws:route53/record:Record"
    traits = Traits(
        replace=frozenset({"name", "type", "zoneId", "setIdentifier"}), sets=frozenset({"records"})
    )

    def validate(self, inputs: Properties) -> None:
        for name in sorted(inputs):
            if name == "aliases" or name.endswith(("RoutingPolicies", "RoutingPolicy")):
                raise InvalidInputs(Refusal(path=name, reason="not known to the sandbox"))
        if inputs.get("records") is None or inputs.get("ttl") is None:
            raise InvalidInputs(Refusal(path="records", reason="records and ttl are required"))
        if isinstance(inputs["name"], str) and len(inputs["name"].rstrip(".")) > _LONGEST_NAME:
            raise InvalidInputs(Refusal(path="name", reason=f"longer than {_LONGEST_NAME} octets"))
        if inputs["type"] == "TXT" and isinstance(inputs["records"], list):
            for index, value in enumerate(inputs["records"]):
                _check_text(value, f"records[{index}]")

    def _create(self, aws: Scope, inputs: Properties) -> str:
        name = _full_name(aws, inputs)
        action = "UPSERT" if inputs.get("allowOverwrite") else "CREATE"
        self._change(aws, action, name, inputs)
        return f"{inputs['zoneId']}_{name}_{inputs['type']}"

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        name = _full_name(aws, known)
        found = _find(aws, known["zoneId"], name, known["type"])
        if found is None:
            return None
        return {
            "fqdn": name,
            "name": known["name"],
            "type": found["Type"],
            "ttl": found["TTL"],
            "records": [
                _written(item["Value"], found["Type"]) for item in found["ResourceRecords"]
            ],
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._change(aws, "UPSERT", _full_name(aws, news), news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        name = _full_name(aws, state)
        found = _find(aws, state["zoneId"], name, state["type"])
        if found is None:
            return
        values = [item["Value"] for item in found["ResourceRecords"]]
        self._change(aws, "DELETE", name, {**state, "ttl": found["TTL"]}, values)

    def _settle(self) -> None:
        self.world.publish_dns()

    @staticmethod
    def _change(
        aws: Scope, action: str, name: str, inputs: Properties, values: list[str] | None = None
    ) -> None:
        if values is None:
            values = [_on_wire(value, inputs["type"]) for value in inputs["records"]]
        record = {
            "Name": name,
            "Type": inputs["type"],
            "ResourceRecords": [{"Value": value} for value in values],
            **given(inputs, {"ttl": "TTL", "setIdentifier": "SetIdentifier"}),
        }
        changed = aws.client("route53").change_resource_record_sets(
            HostedZoneId=inputs["zoneId"],
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )
        _await_propagation(aws, changed["ChangeInfo"]["Id"])


def _await_propagation(aws: Scope, change: str) -> None:
    """As patient as the provider: it asks after 10 to 30 seconds, then every 15."""
    second = aws.account.conditions.route53_second
    waited = random.uniform(10, 30)  # noqa: S311 - no secret
    time.sleep(waited * second)
    aws.client("route53").get_change(Id=change)
    while second and waited < _PROPAGATION:
        time.sleep(_POLL * second)
        waited += _POLL
        aws.client("route53").get_change(Id=change)


def _check_text(value: Value, path: str) -> None:
    """The provider quotes a value as it is; `""` inside splits it into strings."""
    if value is UNKNOWN:
        return
    for piece in re.split(r'"\s*"', str(value)):
        if len(piece.encode()) > _LONGEST_STRING:
            reason = (
                f"CharacterStringTooLong: a string of {len(piece.encode())} bytes exceeds"
                f' {_LONGEST_STRING} bytes; join shorter ones by ""'
            )
            raise InvalidInputs(Refusal(path=path, reason=reason))
        if re.search(r'(?<!\\)"', piece):
            reason = (
                'InvalidCharacterString: a " that does not end one string and begin the next;'
                " the provider adds the outer quotes itself"
            )
            raise InvalidInputs(Refusal(path=path, reason=reason))


def _on_wire(value: str, kind: str) -> str:
    """The real provider's way: quotes around, and `""` becomes the border of two strings."""
    if kind not in ("TXT", "SPF"):
        return value
    return '"' + re.sub(r'"\s*"', '" "', value) + '"'


def _written(value: str, kind: str) -> str:
    """The inverse, for comparison with the inputs."""
    return value[1:-1].replace('" "', '""') if kind in ("TXT", "SPF") else value


def _full_name(aws: Scope, inputs: Properties) -> str:
    """A record's name may leave the zone out, as the real provider allows."""
    name = str(inputs["name"]).rstrip(".").lower()
    answer = aws.client("route53").get_hosted_zone(Id=inputs["zoneId"])
    zone = str(answer["HostedZone"]["Name"]).rstrip(".").lower()
    if name == zone or name.endswith(f".{zone}"):
        return name
    return f"{name}.{zone}" if name else zone


def _find(aws: Scope, zone: str, name: str, kind: str) -> dict[str, Any] | None:
    answer = aws.client("route53").list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=name, StartRecordType=kind, MaxItems="1"
    )
    for record in answer["ResourceRecordSets"]:
        if record["Name"].rstrip(".") == name and record["Type"] == kind:
            return dict(record)
    return None


RESOURCES = [Zone, Record]
