"""At preview, compares what AWS already has with what the engine is about to create.

Hooks before a creation compare. The engine calls them only for what its state lacks, so what this
stack owns never counts, nor what a failed update created. A call costs the program and the engine
time, so of thousands of records only those have a hook that their zone holds already, or that it
has something else against: the zone's records are known before (`components/zones.py`).

No hook may wait for AWS. The engine's workers wait for hooks, and a request may wait for a worker:
the engine answers none while it starts another package's provider. So an input of each Elastic IP
and instance waits for the answers, and the engine gets the resource when they have arrived.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pulumi
import pulumi_aws as aws

from components.answers import if_allowed
from components.tagging import common_tags
from components.zones import Zone
from policy.dns.existing import Held
from policy.settings import Settings

ADDRESSES, VCPUS = "L-0263D0A3", "L-1216C47A"
"""Quotas of EC2: Elastic IPs, and vCPUs of running on-demand standard instances."""

_FAMILY = re.compile(r"[a-z]+(?=\d)")
_STANDARD = frozenset({"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"})
"""Families of instance types that share the quota VCPUS."""

_OFF = "or set accountChecks: false to skip this check"

Hooks = pulumi.ResourceHookBinding
_Check = Callable[[pulumi.ResourceHookArgs], Awaitable[None] | None]
_Answer = TypeVar("_Answer")


class Rejected(Exception):
    """Something that AWS would reject in the middle of an update. The message has the fix."""


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """A record that its zone has something against. `parent`: the name of its resource's parent."""

    parent: str
    zone: Zone
    name: str
    type: str
    found: Held


class AccountChecks:
    """Hooks for records, Elastic IPs and instances. They skip what the credentials may not read."""

    def __init__(self, name: str, settings: Settings, parent: pulumi.Resource) -> None:
        self._settings = settings
        self._opts = pulumi.InvokeOutputOptions(parent=parent)
        self._asked: dict[str, asyncio.Task[Any]] = {}
        self._wanted: dict[str, int] = {}
        self._taken: dict[str, _Taken] = {}
        self._exists = self._hook(f"{name}-record-exists", self._record)
        self._signing = self._hook(f"{name}-signing-key-changes", signing_key)
        self.address = Hooks(before_create=self._hook(f"{name}-address-quota", self._address))
        self.association = Hooks(
            before_create=self._hook(f"{name}-address-in-use", self._association)
        )
        self.instance = Hooks(before_create=self._hook(f"{name}-vcpu-quota", self._instance))

    def record(
        self,
        resource: str,
        parent: str,
        zone: Zone,
        name: str,
        kind: str,
        *,
        values: Sequence[str] = (),
        signs: bool = False,
    ) -> Hooks | None:
        """For the record of a resource, by the resource's name and its parent's.

        `values`: as far as they are known. `signs`: it has the DKIM key that signs.
        """
        found = self._against(zone, name, kind, values)
        if found is not None:
            self._taken[resource] = _Taken(
                parent=parent, zone=zone, name=name, type=kind, found=found
            )
        exists = self._exists if found else []
        changes = self._signing if signs else []
        return Hooks(before_create=exists, before_update=changes) if exists or changes else None

    def _against(self, zone: Zone, name: str, kind: str, values: Sequence[str]) -> Held | None:
        if zone.records is None or name in self._settings.adopt_records:
            return None
        return zone.records.stricter_dmarc(name, values) or zone.records.obstacle(name, kind)

    def _hook(self, name: str, check: _Check) -> list[pulumi.ResourceHook | _Check]:
        if not self._settings.account_checks:
            return []
        dry = pulumi.ResourceHookOptions(on_dry_run=True)
        return [pulumi.ResourceHook(name, check, dry)]

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

        if not self._settings.account_checks:
            return value
        return pulumi.Output.from_input(value).apply(asked)

    async def _record(self, args: pulumi.ResourceHookArgs) -> None:
        taken = self._taken[args.name]
        raise Rejected(f"{taken.name} {taken.type}: {_way_out(taken, args)}; {_OFF}")

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
            self._asked[key] = asyncio.ensure_future(if_allowed(key, ask()))
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


def _way_out(taken: _Taken, args: pulumi.ResourceHookArgs) -> str:
    zone, found = taken.zone, taken.found
    here = f"zone {zone.name} ({zone.id})"
    if found.type == "NS":
        return (
            f"{here} delegates {found.plain}, so nobody would see it there: set that zone as "
            "`zone` of the domain"
        )
    if found.plain != taken.name:
        return (
            f"its policy is weaker than the one of {found.plain}, which it inherits without a "
            "record of its own: raise dmarc.policy of the domain, or leave the inherited one with "
            "dmarc: {publish: false}"
        )
    if found.type != taken.type:
        return (
            f"{here} has a {found.type} of this name, and DNS allows nothing beside a CNAME: "
            "remove it, or choose another name or selector"
        )
    urn = f"{args.urn.rpartition('$')[0]}::{taken.parent}"
    return (
        f"{here} has this record already. To take it over: pulumi import {args.type} "
        f"'{args.name}' '{zone.id}_{taken.name}_{taken.type}' --parent 'parent={urn}'; to "
        f"overwrite it: add {taken.name} to adoptRecords"
    )
