"""What the hooks before a creation say, by what AWS answers."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from pulumi.runtime.rpc import UNKNOWN

from components import account_checks
from components.account_checks import ADDRESSES, VCPUS, AccountChecks, Rejected
from policy.dns.existing import Held
from tests.components import program, shapes

ZONE = "Z0123456789"


class _Asks(AccountChecks):
    """Answers without AWS; a question without an answer is one that may not be asked."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._settings = shapes.settings("minimal")
        self._answers = answers
        self._wanted = {}
        self._parents = {"mail-dns-txt-_dmarc.example.com": "mail-dns"}

    async def _ask(self, key: str, ask: Any) -> Any:
        return self._answers.get(key)


def _args(kind: str = "TXT", name: str = "_dmarc.example.com", **more: Any) -> Any:
    record = "aws:route53/record:Record"
    return pulumi.ResourceHookArgs(
        urn=f"urn:pulumi:prod::ping8-mail::ping8:mail:MailDns${record}::mail-dns-txt-{name}",
        id="",
        name=f"mail-dns-{kind.lower()}-{name}",
        type=record,
        new_inputs={"zoneId": ZONE, "name": name, "type": kind, **more},
    )


def _zone(*held: tuple[str, str]) -> dict[str, Any]:
    return {
        f"zone {ZONE}": SimpleNamespace(name="example.com"),
        f"records {ZONE}": [Held(name=name, type=kind) for name, kind in held],
    }


def _rejected(checks: AccountChecks, args: pulumi.ResourceHookArgs) -> str:
    with pytest.raises(Rejected) as caught:
        asyncio.run(checks._record(args))
    return str(caught.value)


def test_a_record_that_exists_comes_with_the_command_that_imports_it() -> None:
    said = _rejected(_Asks(_zone(("_dmarc.example.com.", "TXT"))), _args())
    assert (
        "pulumi import aws:route53/record:Record 'mail-dns-txt-_dmarc.example.com' "
        "'Z0123456789__dmarc.example.com_TXT' "
        "--parent 'parent=urn:pulumi:prod::ping8-mail::ping8:mail:MailDns::mail-dns'; "
        "to overwrite it: add _dmarc.example.com to adoptRecords; "
        "or set accountChecks: false"
    ) in said


def test_an_alias_and_a_delegation_are_named() -> None:
    said = _rejected(_Asks(_zone(("_dmarc.example.com.", "CNAME"))), _args())
    assert "has a CNAME of this name" in said
    said = _rejected(_Asks(_zone(("news.example.com.", "NS"))), _args(name="x.news.example.com"))
    assert "delegates news.example.com" in said


@pytest.mark.parametrize(
    ("answers", "args"),
    [
        (_zone(("_dmarc.example.com.", "TXT")), _args(allowOverwrite=True)),
        (_zone(("other.example.com.", "TXT")), _args()),
        ({}, _args()),
    ],
)
def test_adopted_free_and_unknown_records_pass(answers: dict[str, Any], args: Any) -> None:
    asyncio.run(_Asks(answers)._record(args))


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


def test_a_dmarc_record_that_weakens_an_inherited_policy_is_rejected() -> None:
    def zone(value: str) -> dict[str, Any]:
        held = Held(name="_dmarc.example.com.", type="TXT", values=(f'"{value}"',))
        return _zone() | {f"records {ZONE}": [held]}

    def args(policy: str) -> Any:
        return _args(name="_dmarc.news.example.com", records=[f"v=DMARC1; p={policy}"])

    said = _rejected(_Asks(zone("v=DMARC1; p=reject")), args("quarantine"))
    assert "weaker than the one of _dmarc.example.com" in said
    assert "dmarc: {publish: false}" in said
    _rejected(_Asks(zone("v=DMARC1;p=none;sp=quarantine")), args("none"))
    asyncio.run(_Asks(zone("v=DMARC1; p=reject; sp=none"))._record(args("none")))
    asyncio.run(_Asks(zone("v=DMARC1; p=reject"))._record(args("reject")))
    asyncio.run(_Asks(zone("some other text"))._record(args("none")))


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


def test_every_record_address_and_host_is_looked_at_before_it_is_made() -> None:
    made = shapes.program("minimal")
    hooked = {item.type: item.before_create for item in made if item.before_create}
    assert hooked == {
        "aws:ec2/eip:Eip": ("mail-address-quota",),
        "aws:ec2/instance:Instance": ("mail-vcpu-quota",),
        "aws:route53/record:Record": ("mail-record-exists",),
    }
    assert all(item.before_create for item in made.of_type("aws:route53/record:Record"))


def test_what_a_hook_compares_with_is_asked_before_the_engine_calls_it() -> None:
    # No hook runs here: whoever asks in one may hang the update.
    asked = {call.token.rpartition(":")[2] for call in shapes.program("minimal").invocations}
    assert asked >= {"getEips", "getInstanceType", "getInstances", "getRecords", "getServiceQuota"}


def test_the_checks_can_be_switched_off() -> None:
    made = program.run(shapes.MINIMAL | {"accountChecks": False})
    assert not any(item.before_create for item in made)
    assert account_checks._OFF.startswith("or set accountChecks: false")
