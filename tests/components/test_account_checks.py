"""What the hooks before a creation say, by what AWS answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest
from pulumi.runtime.rpc import UNKNOWN

from components import account_checks
from components.account_checks import ADDRESSES, VCPUS, AccountChecks, Rejected
from components.zones import Zone
from policy.dns.existing import Held, ZoneRecords
from tests.components import program, shapes
from tests.components.cloud import Refused

ID = "Z0123456789"
RECORD = "aws:route53/record:Record"
GET_RECORDS = "aws:route53/getRecords:getRecords"


class _Asks(AccountChecks):
    """Answers without AWS; a question without an answer is one that may not be asked."""

    def __init__(self, answers: Mapping[str, Any], **settings: Any) -> None:
        self._answers = answers
        chosen = shapes.settings("minimal").model_copy(update=settings)
        super().__init__("mail", chosen, cast(pulumi.Resource, None))

    def _hook(self, name: str, check: Any) -> list[Any]:
        return [check]

    async def _ask(self, key: str, ask: Any) -> Any:
        return self._answers.get(key)


def _args(resource: str = "", **inputs: Any) -> pulumi.ResourceHookArgs:
    return pulumi.ResourceHookArgs(
        urn=f"urn:pulumi:prod::ping8-mail::ping8:mail:MailDns${RECORD}::{resource}",
        id="",
        name=resource,
        type=RECORD,
        new_inputs=inputs,
    )


def _zone(*held: tuple[str, str]) -> ZoneRecords:
    return ZoneRecords("example.com", [Held(name=name, type=kind) for name, kind in held])


def _refusal(
    records: ZoneRecords | None,
    name: str = "_dmarc.example.com",
    values: Sequence[str] = (),
    **settings: Any,
) -> str:
    """What the hook of a TXT record says; nothing without a hook."""
    zone = Zone(name="example.com", id=ID, arn="", records=records)
    resource = f"mail-dns-txt-{name}"
    hooks = _Asks({}, **settings).record(resource, "mail-dns", zone, name, "TXT", values=values)
    if hooks is None:
        return ""
    (hook,) = hooks.before_create or []
    with pytest.raises(Rejected) as caught:
        asyncio.run(cast(Any, hook)(_args(resource)))
    return str(caught.value)


def test_a_record_that_exists_comes_with_the_command_that_imports_it() -> None:
    said = _refusal(_zone(("_dmarc.example.com.", "TXT")))
    assert said == (
        "_dmarc.example.com TXT: zone example.com (Z0123456789) has this record already. "
        "To take it over: pulumi import aws:route53/record:Record "
        "'mail-dns-txt-_dmarc.example.com' 'Z0123456789__dmarc.example.com_TXT' "
        "--parent 'parent=urn:pulumi:prod::ping8-mail::ping8:mail:MailDns::mail-dns'; "
        "to overwrite it: add _dmarc.example.com to adoptRecords; "
        "or set accountChecks: false to skip this check"
    )


def test_an_alias_and_a_delegation_are_named() -> None:
    said = _refusal(_zone(("_dmarc.example.com.", "CNAME")))
    assert "zone example.com (Z0123456789) has a CNAME of this name" in said
    said = _refusal(_zone(("news.example.com.", "NS")), "x.news.example.com")
    assert "zone example.com (Z0123456789) delegates news.example.com" in said


def test_adopted_and_free_records_have_no_hook() -> None:
    taken = _zone(("_dmarc.example.com.", "TXT"))
    assert not _refusal(taken, adopt_records=("_dmarc.example.com",))
    assert not _refusal(_zone(("other.example.com.", "TXT")))


def _run(
    get_records: Callable[[Mapping[str, Any]], dict[str, Any]], **config: Any
) -> tuple[set[str], bool]:
    """Names of the records with a hook before they are made; whether AWS was asked for any."""
    made = program.run(shapes.MINIMAL | config, answers={GET_RECORDS: get_records})
    hooked = {item.name for item in made.of_type(RECORD) if item.before_create}
    return hooked, GET_RECORDS in {call.token for call in made.invocations}


def _holds_three(args: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "default._spf.mail.example.com.": "TXT",
        "mta-1.mail.example.com.": "A",
        "mta.mail.example.com.": "A",
        "proxy-1.mail.example.com.": "TXT",
    }
    sets = [{"name": name, "type": kind, "ttl": 300} for name, kind in names.items()]
    return {**args, "id": args["zoneId"], "resourceRecordSets": sets}


def test_only_records_that_the_zone_holds_call_the_program_back() -> None:
    hooked, _ = _run(_holds_three)
    assert hooked == {
        "mail-dns-txt-default._spf.mail.example.com",
        "mail-address-mta-1-a-mta-1.mail.example.com",
        "mail-injection-a",
    }
    adopted = ["default._spf.mail.example.com", "mta.mail.example.com"]
    assert _run(_holds_three, adoptRecords=adopted) == (
        {"mail-address-mta-1-a-mta-1.mail.example.com"},
        True,
    )


def _denied(_: Mapping[str, Any]) -> dict[str, Any]:
    raise Refused("AccessDenied: User is not authorized")


def test_without_the_right_to_read_or_the_wish_no_record_is_compared() -> None:
    assert _run(_denied) == (set(), True)
    assert _run(_holds_three, accountChecks=False) == (set(), False)


def test_without_the_right_to_read_the_account_the_program_goes_on() -> None:
    asked = (
        "aws:ec2/getEips:getEips",
        "aws:ec2/getElasticIp:getElasticIp",
        "aws:ec2/getInstances:getInstances",
        "aws:ec2/getInstanceType:getInstanceType",
        "aws:servicequotas/getServiceQuota:getServiceQuota",
    )
    made = program.run(shapes.MANY_SOURCES, answers=dict.fromkeys(asked, _denied))
    assert {call.token for call in made.invocations} >= set(asked)
    assert made.outputs["injection_url"]


def test_only_the_key_that_signs_must_not_change() -> None:
    domain = {"name": "example.com", "dkim": {"active": "s2", "ed25519": True}}
    made = program.run(shapes.MINIMAL | {"domains": [domain]})
    hooked = {item.name for item in made if item.before_update}
    target = "example.com.dkim.mail.example.com"
    assert hooked == {f"mail-dns-txt-s2.{target}", f"mail-dns-txt-s2-ed.{target}"}


@pytest.mark.parametrize("new", [["v=DKIM1; k=rsa; p=new"], UNKNOWN])
def test_a_change_of_the_key_that_signs_is_rejected_with_the_command_that_rotates_it(
    new: object,
) -> None:
    args = _args()
    args.old_inputs = {"name": "s1._domainkey.example.com", "records": ["v=DKIM1; k=rsa; p=old"]}
    args.new_inputs = {**args.old_inputs, "records": new}
    with pytest.raises(Rejected, match=r"s1\._domainkey\.example\.com TXT.*ping8 rotate dkim"):
        asyncio.run(account_checks.signing_key(args))
    args.new_inputs = {**args.old_inputs, "ttl": 60}
    asyncio.run(account_checks.signing_key(args))


def test_addresses_of_the_account_and_new_ones_share_the_quota() -> None:
    held = SimpleNamespace(allocation_ids=["eipalloc-1"] * 4)
    checks = _Asks({ADDRESSES: SimpleNamespace(value=5.0), "addresses": held})
    asyncio.run(checks._address(_args()))
    with pytest.raises(Rejected) as caught:
        asyncio.run(checks._address(_args()))
    said = str(caught.value)
    assert said.startswith("Elastic IPs: AWS allows 5 in eu-central-1, and 6 are needed.")
    assert f"--quota-code {ADDRESSES} --desired-value 6 --region eu-central-1" in said


def _account(quota: float, **others: str) -> _Asks:
    """An account with these instances beside the two of the stack, of which one runs."""
    sizes = {"c7g.xlarge": 4, "t4g.small": 2, "c5.large": 2, "p3.2xlarge": 8}
    return _Asks(
        {
            VCPUS: SimpleNamespace(value=quota),
            "running": SimpleNamespace(ids=["i-mta", *others]),
            "ours": SimpleNamespace(ids=["i-mta"]),
            **{name: SimpleNamespace(instance_type=kind) for name, kind in others.items()},
            **{name: SimpleNamespace(default_vcpus=size) for name, size in sizes.items()},
        }
    )


def test_hosts_share_the_vcpus_of_the_account_and_a_replaced_one_counts_once() -> None:
    asyncio.run(_account(6.0)._instance(_args()))
    # A GPU has a quota of its own.
    asyncio.run(_account(8.0, other="c5.large", gpu="p3.2xlarge")._instance(_args()))
    with pytest.raises(Rejected, match="vCPUs: AWS allows 7 in eu-central-1, and 8 are needed"):
        asyncio.run(_account(7.0, other="c5.large", gpu="p3.2xlarge")._instance(_args()))


@pytest.mark.parametrize(
    ("above", "policy", "weaker"),
    [
        ("v=DMARC1; p=reject", "quarantine", True),
        ("v=DMARC1;p=none;sp=quarantine", "none", True),
        ("v=DMARC1; p=reject; sp=none", "none", False),
        ("v=DMARC1; p=reject", "reject", False),
        ("some other text", "none", False),
    ],
)
def test_a_dmarc_record_that_weakens_an_inherited_policy_is_rejected(
    above: str, policy: str, weaker: bool
) -> None:
    held = Held(name="_dmarc.example.com.", type="TXT", values=(f'"{above}"',))
    zone = ZoneRecords("example.com", [held])
    said = _refusal(zone, "_dmarc.news.example.com", [f"v=DMARC1; p={policy}"])
    assert bool(said) == weaker
    if weaker:
        assert "its policy is weaker than the one of _dmarc.example.com" in said
        assert "dmarc: {publish: false}" in said


def test_the_plans_own_dmarc_record_is_compared_with_what_its_domain_inherits() -> None:
    def holds_one(args: Mapping[str, Any]) -> dict[str, Any]:
        held = {"name": "_dmarc.mail.example.com.", "type": "TXT", "ttl": 300}
        value = {"value": '"v=DMARC1; p=reject"'}
        sets = [{**held, "resourceRecords": [value]}]
        return {**args, "id": args["zoneId"], "resourceRecordSets": sets}

    weak, strict = (
        {"name": f"{policy}.mail.example.com", "dmarc": {"policy": policy}}
        for policy in ("none", "reject")
    )
    hooked, _ = _run(holds_one, domains=[weak, strict])
    assert hooked == {"mail-dns-txt-_dmarc.none.mail.example.com"}


@pytest.mark.parametrize(
    ("held", "refused"),
    [
        ({"instance_id": "i-live", "network_interface_id": "eni-live"}, True),
        ({"instance_id": "", "network_interface_id": "eni-live"}, True),
        ({"instance_id": "i-mta", "network_interface_id": "eni-other-proxy"}, False),
        ({"instance_id": "i-new", "network_interface_id": "eni-new"}, False),
        ({"association_id": "", "instance_id": "", "network_interface_id": ""}, False),
    ],
    ids=["live host", "bare interface", "moves within the stack", "the same", "free"],
)
def test_an_elastic_ip_is_not_taken_from_what_uses_it(held: Any, refused: bool) -> None:
    address = {"association_id": "eipassoc-1", "public_ip": "203.0.113.9", **held}
    checks = _Asks(
        {"eipalloc-1": SimpleNamespace(**address), "ours": SimpleNamespace(ids=["i-mta"])}
    )
    args = _args(allocationId="eipalloc-1", networkInterfaceId="eni-new")
    if not refused:
        asyncio.run(checks._association(args))
        return
    with pytest.raises(Rejected) as caught:
        asyncio.run(checks._association(args))
    assert str(caught.value).startswith("allocationId eipalloc-1: 203.0.113.9 is in use by ")
    assert "disassociate-address --association-id eipassoc-1 --region" in str(caught.value)


def test_only_an_address_of_the_settings_can_be_in_use() -> None:
    made = shapes.program("many-sources").of_type("EipAssociation")
    hooked = {item.name for item in made if item.before_create == ("mail-address-in-use",)}
    assert hooked == {"mail-address-mta-1-association", "mail-address-out-3-association"}


def test_without_the_right_to_read_nothing_is_checked() -> None:
    asyncio.run(_Asks({})._address(_args()))
    asyncio.run(_Asks({})._instance(_args()))


def test_every_address_and_host_is_looked_at_before_it_is_made() -> None:
    made = shapes.program("minimal")
    hooked = {item.type: item.before_create for item in made if item.before_create}
    assert hooked == {
        "aws:ec2/eip:Eip": ("mail-address-quota",),
        "aws:ec2/instance:Instance": ("mail-vcpu-quota",),
    }


def test_what_a_hook_compares_with_is_asked_before_the_engine_calls_it() -> None:
    # No hook runs here: whoever asks in one may hang the update.
    asked = {call.token.rpartition(":")[2] for call in shapes.program("minimal").invocations}
    assert asked >= {"getEips", "getInstanceType", "getInstances", "getRecords", "getServiceQuota"}


def test_the_checks_can_be_switched_off() -> None:
    made = program.run(shapes.MINIMAL | {"accountChecks": False})
    assert not any(item.before_create for item in made)
    assert account_checks._OFF.startswith("or set accountChecks: false")
