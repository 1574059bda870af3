"""At preview, compares what AWS already has with what the engine is about to create.

Hooks before a creation ask AWS. The engine calls them only for what its state lacks, so what this
stack owns never counts, nor what a failed update created.

No hook may wait for AWS. The engine's workers wait for hooks, and a request may wait for a worker:
the engine answers none while it starts another package's provider. So an input of each such
resource waits for the answers, and the engine gets the resource when they have arrived.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

import pulumi
import pulumi_aws as aws

from components.tagging import common_tags
from policy.dns.existing import Held, obstacle, weaker_dmarc
from policy.settings import Settings

ADDRESSES, VCPUS = "L-0263D0A3", "L-1216C47A"
"""Quotas of EC2: Elastic IPs, and vCPUs of running on-demand standard instances."""

_FAMILY = re.compile(r"[a-z]+(?=\d)")
_STANDARD = frozenset({"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"})
"""Families of instance types that share the quota VCPUS."""

_OFF = "or set accountChecks: false to skip this check"

Hooks = pulumi.ResourceHookBinding
_Answer = TypeVar("_Answer")


class Rejected(Exception):
    """Something that AWS would reject in the middle of an update. The message has the fix."""


class AccountChecks:
    """Hooks for records, Elastic IPs and instances. They skip what the credentials may not read."""

    def __init__(self, name: str, settings: Settings, parent: pulumi.Resource) -> None:
        self._settings = settings
        self._opts = pulumi.InvokeOutputOptions(parent=parent)
        self._asked: dict[str, asyncio.Task[Any]] = {}
        self._wanted: dict[str, int] = {}
        self._parents: dict[str, str] = {}
        self._records = self._hook(f"{name}-record-exists", self._record)
        self._signing = self._hook(f"{name}-signing-key-changes", signing_key)
        self.address = self._hook(f"{name}-address-quota", self._address)
        self.association = self._hook(f"{name}-address-in-use", self._association)
        self.instance = self._hook(f"{name}-vcpu-quota", self._instance)

    def record(self, name: str, parent: str, *, signs: bool = False) -> Hooks | None:
        """For a record of that name; the import command needs its parent.

        `signs`: it has the DKIM key that signs.
        """
        self._parents[name] = parent
        if not (signs and self._records and self._signing):
            return self._records
        exists, changes = self._records.before_create, self._signing.before_create
        return Hooks(before_create=exists, before_update=changes)

    def _hook(
        self, name: str, check: Callable[[pulumi.ResourceHookArgs], Awaitable[None]]
    ) -> Hooks | None:
        if not self._settings.account_checks:
            return None
        dry = pulumi.ResourceHookOptions(on_dry_run=True)
        return Hooks(before_create=[pulumi.ResourceHook(name, check, dry)])

    def before_record(self, zone_id: pulumi.Input[str]) -> pulumi.Input[str]:
        """The zone's id, once the zone's records are known."""
        return self._after(zone_id, self._zone)

    def before_address(self, domain: str) -> pulumi.Input[str]:
        """The Elastic IP's domain, once the account's number of addresses is known."""
        return self._after(domain, lambda _: self._addresses())

    def before_association(self, allocation_id: pulumi.Input[str]) -> pulumi.Input[str]:
        """The id of an existing Elastic IP, once its use is known."""
        return self._after(allocation_id, self._user)

    def before_instance(self, instance_type: str) -> pulumi.Input[str]:
        """The instance type, once the numbers of used and allowed vCPUs are known."""
        return self._after(instance_type, lambda _: self._vcpus_needed())

    def _after(
        self, value: pulumi.Input[str], ask: Callable[[str], Awaitable[object]]
    ) -> pulumi.Input[str]:
        async def asked(known: str) -> str:
            await ask(known)
            return known

        return pulumi.Output.from_input(value).apply(asked) if self._records else value

    async def _zone(
        self, zone_id: str
    ) -> tuple[aws.route53.GetZoneResult | None, list[Held] | None]:
        return await asyncio.gather(
            self._ask(
                f"zone {zone_id}",
                lambda: aws.route53.get_zone_output(zone_id=zone_id, opts=self._opts),
            ),
            self._ask(
                f"records {zone_id}",
                lambda: aws.route53.get_records_output(zone_id=zone_id, opts=self._opts).apply(
                    lambda found: [_held(item) for item in found.resource_record_sets]
                ),
            ),
        )

    async def _record(self, args: pulumi.ResourceHookArgs) -> None:
        inputs = args.new_inputs or {}
        zone_id = inputs.get("zoneId")
        if not isinstance(zone_id, str) or inputs.get("allowOverwrite"):
            return
        zone, sets = await self._zone(zone_id)
        if zone is None or sets is None:
            return
        name, kind = str(inputs["name"]), str(inputs["type"])
        stricter = weaker_dmarc(name, inputs.get("records") or (), zone.name, sets)
        if stricter:
            raise Rejected(
                f"{name} {kind}: its policy is weaker than the one of {stricter.plain}, which it "
                "inherits without a record of its own: raise dmarc.policy of the domain, or leave "
                f"the inherited one with dmarc: {{publish: false}}; {_OFF}"
            )
        found = obstacle(name, kind, zone.name, sets)
        if found:
            here = f"{name} {kind}: zone {zone.name} ({zone_id})"
            taken = f"{zone_id}_{name}_{kind}"
            raise Rejected(f"{here} {self._way_out(name, kind, found, taken, args)}; {_OFF}")

    def _way_out(
        self, name: str, kind: str, found: Held, taken: str, args: pulumi.ResourceHookArgs
    ) -> str:
        if found.type == "NS":
            return (
                f"delegates {found.plain}, so nobody would see it there: set that zone as `zone` "
                "of the domain"
            )
        if found.type != kind:
            return (
                f"has a {found.type} of this name, and DNS allows nothing beside a CNAME: remove "
                "it, or choose another name or selector"
            )
        parent = self._parents[args.name]
        urn = f"{args.urn.rpartition('$')[0]}::{parent}"
        return (
            f"has this record already. To take it over: pulumi import {args.type} '{args.name}' "
            f"'{taken}' --parent 'parent={urn}'; to overwrite it: add {name} to adoptRecords"
        )

    async def _address(self, _: pulumi.ResourceHookArgs) -> None:
        new = self._count(ADDRESSES, 1)
        quota, held = await self._addresses()
        if quota is not None and held is not None:
            self._allow("Elastic IPs", ADDRESSES, quota, len(held.allocation_ids) + new)

    async def _addresses(self) -> tuple[float | None, aws.ec2.GetEipsResult | None]:
        return await asyncio.gather(
            self._quota(ADDRESSES),
            self._ask("addresses", lambda: aws.ec2.get_eips_output(opts=self._opts)),
        )

    async def _association(self, args: pulumi.ResourceHookArgs) -> None:
        """AWS moves an Elastic IP without asking, even from a host that is sending mail."""
        inputs = args.new_inputs or {}
        identity = inputs.get("allocationId")
        if not isinstance(identity, str):
            return
        held, ours = await self._user(identity)
        if held is None or not held.association_id:
            return
        if held.network_interface_id == inputs.get("networkInterfaceId"):
            return
        if ours is not None and held.instance_id in ours.ids:
            return
        raise Rejected(
            f"allocationId {identity}: {held.public_ip} is in use by "
            f"{held.instance_id or held.network_interface_id}, which would lose it at once. Stop "
            f"what sends there, then: aws ec2 disassociate-address --association-id "
            f"{held.association_id} --region {self._settings.region}; {_OFF}"
        )

    async def _user(
        self, identity: str
    ) -> tuple[aws.ec2.GetElasticIpResult | None, aws.ec2.GetInstancesResult | None]:
        return await asyncio.gather(
            self._ask(
                identity, lambda: aws.ec2.get_elastic_ip_output(id=identity, opts=self._opts)
            ),
            self._running("ours", common_tags(self._settings)),
        )

    async def _instance(self, _: pulumi.ResourceHookArgs) -> None:
        quota, needed = await self._vcpus_needed()
        if quota is not None and needed is not None:
            self._allow("vCPUs", VCPUS, quota, needed)

    async def _vcpus_needed(self) -> tuple[float | None, int | None]:
        """All hosts of the settings count, and what others run, so a replaced host counts once."""
        settings = self._settings
        hosts = (*[settings.mta] * settings.mta.nodes, *settings.proxies)
        quota, others = await asyncio.gather(self._quota(VCPUS), self._others())
        own = await asyncio.gather(*(self._vcpus(host.instance_type) for host in hosts))
        known = [number for number in (*own, *others) if number is not None]
        return quota, sum(known) if len(known) == len(own) + len(others) else None

    async def _others(self) -> list[int | None]:
        """vCPUs of each running instance in the account and region that is not this stack's."""
        running, ours = await asyncio.gather(
            self._running("running", {}), self._running("ours", common_tags(self._settings))
        )
        if running is None or ours is None:
            return [None]
        ids = sorted({*running.ids} - {*ours.ids})
        return list(await asyncio.gather(*(self._of_instance(each) for each in ids)))

    async def _running(
        self, key: str, tags: Mapping[str, str]
    ) -> aws.ec2.GetInstancesResult | None:
        return await self._ask(
            key,
            lambda: aws.ec2.get_instances_output(
                instance_state_names=["pending", "running"],
                instance_tags=dict(tags),
                opts=self._opts,
            ),
        )

    async def _of_instance(self, identity: str) -> int | None:
        found = await self._ask(
            identity,
            lambda: aws.ec2.get_instance_output(instance_id=identity, opts=self._opts),
        )
        if found is None:
            return None
        family = _FAMILY.match(found.instance_type)
        standard = family is not None and family[0] in _STANDARD
        return await self._vcpus(found.instance_type) if standard else 0

    async def _vcpus(self, kind: str) -> int | None:
        found = await self._ask(
            kind, lambda: aws.ec2.get_instance_type_output(instance_type=kind, opts=self._opts)
        )
        return None if found is None else found.default_vcpus

    def _count(self, what: str, number: int) -> int:
        self._wanted[what] = self._wanted.get(what, 0) + number
        return self._wanted[what]

    def _allow(self, what: str, code: str, quota: float, needed: int) -> None:
        if needed > quota:
            region = self._settings.region
            raise Rejected(
                f"{what}: AWS allows {int(quota)} in {region}, and {needed} are needed. Ask for "
                "more: aws service-quotas request-service-quota-increase --service-code ec2 "
                f"--quota-code {code} --desired-value {needed} --region {region}; {_OFF}"
            )

    async def _quota(self, code: str) -> float | None:
        found = await self._ask(
            code,
            lambda: aws.servicequotas.get_service_quota_output(
                service_code="ec2", quota_code=code, opts=self._opts
            ),
        )
        return None if found is None else found.value

    async def _ask(self, key: str, ask: Callable[[], pulumi.Output[_Answer]]) -> _Answer | None:
        """Asks each question once; None if the credentials do not allow it."""
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(_answer(key, ask))
        return cast(_Answer | None, await self._asked[key])


async def signing_key(args: pulumi.ResourceHookArgs) -> None:
    """Before an update: mail would be signed with a key that DNS does not have yet."""
    old, new = args.old_inputs or {}, args.new_inputs or {}
    if old.get("records") == new.get("records"):
        return
    raise Rejected(
        f"{old.get('name')} TXT: this update would change the DKIM key that signs, and resolvers "
        "keep the old record for an hour, so mail would fail DKIM: undo what changed it (dkim, "
        f"dkimKeys, --replace), and use `ping8 rotate dkim`, which changes the idle key; {_OFF}"
    )


def _held(item: Any) -> Held:
    return Held(
        name=item.name,
        type=item.type,
        values=tuple(record.value for record in item.resource_records or ()),
    )


async def _answer(key: str, ask: Callable[[], pulumi.Output[_Answer]]) -> _Answer | None:
    try:
        return await ask().future()
    except Exception as error:
        pulumi.log.debug(f"not checked, {key}: {error}")
        return None
