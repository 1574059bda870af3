"""Our hosted zones in Route 53, found by id if the settings have one, else by name.

They are looked up before the program makes any resource: so their ids are known, and a record can
be compared with what its zone has before the engine gets it.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.answers import answer, if_allowed
from policy.dns.existing import Held, ZoneRecords
from policy.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A public zone, and the records that it has; None if nothing is to be compared with them."""

    name: str
    id: str
    arn: str
    records: ZoneRecords | None = None


async def look_up(settings: Settings) -> dict[str, Zone]:
    """Every zone of the settings, by name. A missing or ambiguous one stops the program with the
    fix."""
    names = sorted(settings.zones)
    found = await asyncio.gather(*(_zone(settings, name) for name in names))
    return dict(zip(names, found, strict=True))


async def _zone(settings: Settings, name: str) -> Zone:
    found = await _find(settings, name)
    records = await _records(name, found.zone_id) if settings.account_checks else None
    return Zone(name=name, id=found.zone_id, arn=found.arn, records=records)


async def _find(settings: Settings, name: str) -> aws.route53.GetZoneResult:
    identity = settings.zone_ids.get(name)
    try:
        if identity is None:
            return await answer(aws.route53.get_zone_output(name=name))
        found = await answer(aws.route53.get_zone_output(zone_id=identity))
    except Exception as error:
        raise pulumi.RunError(_fix(name, identity, str(error))) from None
    if found.name.rstrip(".") != name:
        raise pulumi.RunError(
            f"zoneIds: {identity} is the zone {found.name}, not {name}: give the id that "
            f"`aws route53 list-hosted-zones-by-name --dns-name {name}` shows"
        )
    return found


async def _records(zone: str, identity: str) -> ZoneRecords | None:
    function = aws.route53.get_records_output(zone_id=identity)
    found = await if_allowed(f"records of {zone}", function)
    return ZoneRecords(zone, map(_held, found.resource_record_sets)) if found else None


def _held(item: Any) -> Held:
    return Held(
        name=item.name,
        type=item.type,
        values=tuple(record.value for record in item.resource_records or ()),
    )


def _fix(name: str, identity: str | None, error: str) -> str:
    listing = f"aws route53 list-hosted-zones-by-name --dns-name {name}"
    if identity is not None:
        return f"zoneIds: no zone {identity} for {name}; `{listing}` shows the ids ({error})"
    if "multiple" in error:
        return (
            f"zone {name}: several public zones in Route 53 have this name. Set the id of the one "
            f"that its registrar or parent delegates to under zoneIds; `{listing}` shows them"
        )
    return f"zone {name}: not found in Route 53; `{listing}` shows what there is ({error})"
