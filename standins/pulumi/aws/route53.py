# ruff: noqa: ARG002 - every kind's operations take the same arguments
"""Record sets; every change is published by the sandbox's name server."""

import random
import re
import time
from collections.abc import Iterator

from standins.pulumi.aws.resource import AwsResource, Scope
from standins.pulumi.properties import Properties, Value
from standins.pulumi.schema import Refusal

_LONGEST_STRING = 255
_LONGEST_NAME = 253
_POLL = 15
_PROPAGATION = 30
"""Seconds until a change is in sync; AWS says that it usually takes less than 60."""


class Record(AwsResource):
    """Its name may leave the zone out, and a text's value is quoted by the provider."""

    def refusals(self, inputs: Properties) -> Iterator[Refusal]:
        yield from super().refusals(inputs)
        name, values = inputs["name"], inputs.get("records")
        if isinstance(name, str) and len(name.rstrip(".")) > _LONGEST_NAME:
            yield Refusal(path="name", reason=f"longer than {_LONGEST_NAME} octets")
        if inputs["type"] == "TXT" and isinstance(values, list):
            for index, value in enumerate(values):
                yield from _text_refusals(value, f"records[{index}]")

    def known(self, aws: Scope, properties: Properties) -> Properties:
        kind, values = properties["type"], properties.get("records") or []
        return {
            **super().known(aws, properties),
            "action": "UPSERT" if properties.get("allowOverwrite") else "CREATE",
            "fqdn": _full_name(aws, properties),
            "values": [{"Value": _on_wire(value, kind)} for value in values],
        }

    def found(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = super().found(aws, identity, known)
        if found is None:
            return None
        values = found.get("records")
        return {**found, "records": values and [_written(each, known["type"]) for each in values]}

    def changed(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._put(aws, {**self.known(aws, news), "action": "UPSERT"})

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        record = self._held(aws, state)
        if record is not None:
            held = {"ttl": record.get("TTL"), "values": record.get("ResourceRecords") or []}
            self._put(aws, {**self.known(aws, state), **held, "action": "DELETE"})

    def _held(self, aws: Scope, properties: Properties) -> Properties | None:
        found = self._run(aws, self.table.read[0], self.known(aws, properties))
        return dict(found) if found is not None else None

    def _put(self, aws: Scope, known: Properties) -> Properties:
        answer = super()._put(aws, known)
        _await_propagation(aws, answer["ChangeInfo"]["Id"])
        return answer


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


def _text_refusals(value: Value, path: str) -> Iterator[Refusal]:
    """The provider quotes a value as it is; `""` inside splits it into strings."""
    if not isinstance(value, str):
        return
    for piece in re.split(r'"\s*"', value):
        size = len(piece.encode())
        if size > _LONGEST_STRING:
            reason = (
                f"CharacterStringTooLong: a string of {size} bytes exceeds {_LONGEST_STRING}"
                ' bytes; join shorter ones by ""'
            )
            yield Refusal(path=path, reason=reason)
        if re.search(r'(?<!\\)"', piece):
            reason = (
                'InvalidCharacterString: a " that does not end one string and begin the next;'
                " the provider adds the outer quotes itself"
            )
            yield Refusal(path=path, reason=reason)


def _on_wire(value: str, kind: str) -> str:
    """The real provider's way: quotes around, and `""` becomes the border of two strings."""
    return '"' + re.sub(r'"\s*"', '" "', value) + '"' if kind == "TXT" else value


def _written(value: str, kind: str) -> str:
    """The inverse, for comparison with the inputs."""
    return value[1:-1].replace('" "', '""') if kind == "TXT" else value


def _full_name(aws: Scope, inputs: Properties) -> str:
    name = str(inputs["name"]).rstrip(".").lower()
    answer = aws.client("route53").get_hosted_zone(Id=inputs["zoneId"])
    zone = str(answer["HostedZone"]["Name"]).rstrip(".").lower()
    if name == zone or name.endswith(f".{zone}"):
        return name
    return f"{name}.{zone}"
