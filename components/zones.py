"""Our hosted zones in Route 53, found by id if the settings have one, else by name."""

import pulumi
import pulumi_aws as aws

from policy.settings import Settings


def look_up(
    settings: Settings, name: str, opts: pulumi.InvokeOutputOptions
) -> pulumi.Output[aws.route53.GetZoneResult]:
    """The public zone of that name; a missing or ambiguous one stops the program with the fix."""
    return pulumi.Output.from_input(_find(settings, name, opts))


async def _find(
    settings: Settings, name: str, opts: pulumi.InvokeOutputOptions
) -> aws.route53.GetZoneResult:
    identity = settings.zone_ids.get(name)
    try:
        if identity is None:
            return await _one(aws.route53.get_zone_output(name=name, opts=opts))
        found = await _one(aws.route53.get_zone_output(zone_id=identity, opts=opts))
    except Exception as error:
        raise pulumi.RunError(_fix(name, identity, str(error))) from None
    if found.name.rstrip(".") != name:
        raise pulumi.RunError(
            f"zoneIds: {identity} is the zone {found.name}, not {name}: give the id that "
            f"`aws route53 list-hosted-zones-by-name --dns-name {name}` shows"
        )
    return found


async def _one(output: pulumi.Output[aws.route53.GetZoneResult]) -> aws.route53.GetZoneResult:
    found = await output.future()
    assert found is not None  # noqa: S101 - zones are known at preview
    return found


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
