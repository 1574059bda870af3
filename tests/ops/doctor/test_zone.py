"""The delegation of our zone, and CAA of the host in it, by real DNS and HTTPS answers."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ops.doctor.checks import zone
from ops.doctor.finding import Finding, Status
from ops.doctor.resolver import LookupFailed, Resolver
from tests.examples import SMALL
from tests.ops.doctor import tls_server
from tests.ops.doctor.case import case_of
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.dns_server import Records, closed_port, serving
from tests.ops.doctor.tls_server import Authority

DEPLOYED = deployment_of(SMALL)
OURS = DEPLOYED.settings.zone
SOA = ["ns.example.com. host.example.com. 1 2 3 4 5"]
NS = ["ns1.example.net.", "ns2.example.net."]
PARENT = {
    ("example.com", "SOA"): SOA,
    ("example.com", "NS"): ["ns.parent.example."],
    ("ns.parent.example", "A"): ["127.0.0.1"],
    ("ns1.example.net", "A"): ["127.0.0.2"],
    ("ns2.example.net", "A"): ["127.0.0.3"],
    (OURS, "NS"): NS,
}
CHILD = {(OURS, "SOA"): SOA, (OURS, "NS"): NS}


def delegation(
    parent: dict[Any, Any], *children: Records | None, resolver: Records | None = None
) -> Finding:
    """What a parent and each server of the zone say; a server that is None is dead."""
    with ExitStack() as stack:
        known = stack.enter_context(serving(resolver or {**PARENT, **CHILD}))
        asked = stack.enter_context(serving(parent))
        port = int(asked.partition(":")[2])
        for number, child in enumerate(children):
            if child is not None:
                stack.enter_context(serving(child, address=f"127.0.0.{2 + number}", port=port))
        asking = Resolver([known], seconds=0.5, authority_port=port)
        (found,) = zone.zone_delegation(OURS, case_of(DEPLOYED, asking))
    return found


def test_a_parent_that_names_the_servers_of_the_zone_passes() -> None:
    found = delegation(PARENT, CHILD, CHILD)
    assert found.status is Status.PASS
    assert found.saw == f"example.com names ns1.example.net, ns2.example.net, which serve {OURS}"


def test_a_zone_without_delegation_fails_with_who_publishes_what() -> None:
    found = delegation({key: v for key, v in PARENT.items() if key != (OURS, "NS")})
    assert (found.status, found.saw) == (
        Status.FAIL,
        "example.com has no NS records for mail.example.com",
    )
    assert "the owner of example.com publishes the NS records" in found.fix


def test_one_lame_server_warns_and_is_named() -> None:
    found = delegation(PARENT, CHILD, None)
    assert found.status is Status.WARN
    assert found.saw.startswith("ns2.example.net: ")


def test_servers_of_a_zone_that_was_deleted_and_made_again_fail() -> None:
    """The parent still names the servers of the old one."""
    found = delegation(PARENT, None, None)
    assert found.status is Status.FAIL
    assert "ns1.example.net" in found.saw and "ns2.example.net" in found.saw


def test_other_servers_in_the_zone_than_at_the_parent_warn() -> None:
    other = {**CHILD, (OURS, "NS"): ["ns3.example.net."]}
    found = delegation(PARENT, other, other)
    assert found.status is Status.WARN
    assert found.saw.endswith("the zone names ns3.example.net")


def test_a_network_without_dns_to_the_internet_trusts_the_resolver() -> None:
    def found(resolver: Records) -> Finding:
        with serving(resolver) as server:
            asking = Resolver([server], seconds=0.2, authority_port=closed_port())
            return zone.delegation(OURS, asking)

    assert found({**PARENT, **CHILD}).status is Status.PASS
    assert found(PARENT).status is Status.FAIL


def test_a_network_that_answers_in_place_of_all_servers_trusts_the_resolver() -> None:
    with serving({**PARENT, **CHILD}, recursive=True) as server:
        asking = Resolver([server], authority_port=int(server.partition(":")[2]))
        assert zone.delegation(OURS, asking).status is Status.PASS


# CAA --------------------------------------------------------------------------

HOST = DEPLOYED.settings.injection_host
CA = "acme.example.net"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A certificate authority whose directory says that CAA calls it `ca.example`."""
    made = Authority.make(tmp_path_factory.mktemp("acme"))
    directory = '{"meta": {"caaIdentities": ["CA.example", "ca.test"]}}'
    answers: dict[str, str | int] = {"/directory": directory, "/mute": "{}"}
    with tls_server.serving(made.issue(host=CA), answers) as endpoint:
        yield made.ca_file, endpoint.port


def caa_of(authority: tuple[str, int], *records: str, at: str = HOST, path: str = "directory",
           **server: Any) -> Finding:  # fmt: skip
    ca_file, port = authority
    deployed = deployment_of(SMALL, certificate={"directory": f"https://{CA}:{port}/{path}"})
    zone_: dict[Any, Any] = {(HOST, "A"): ["192.0.2.1"], (CA, "A"): ["127.0.0.1"]}
    if records:
        zone_[at, "CAA"] = list(records)
    with serving(zone_, **server) as address:
        return zone.caa(HOST, deployed.settings, Resolver([address]), ca_file)


@pytest.mark.parametrize(
    "records",
    [
        (),
        ('0 issue "ca.example"',),
        ('0 issue "other.example"', '0 ISSUE "CA.EXAMPLE; validationmethods=http-01,dns-01"'),
        ('0 iodef "mailto:x@example.com"',),
        ('0 issuewild ";"',),
        ('0 issue "ca.test"', '0 issuewild ";"', '0 future "x"'),
    ],
)
def test_records_that_allow_our_authority_pass(
    authority: tuple[str, int], records: tuple[str, ...]
) -> None:
    assert caa_of(authority, *records).status is Status.PASS


@pytest.mark.parametrize(
    "records",
    [
        ('0 issue ";"',),
        ('0 issue "other.example"',),
        ('0 issue "notca.example"', '0 issuewild "ca.example"'),
        ('0 issue "ca.example; validationmethods=http-01"',),
        ('0 issue "ca.example"', '128 future "x"'),
    ],
)
def test_records_that_forbid_it_fail_with_the_record_to_publish(
    authority: tuple[str, int], records: tuple[str, ...]
) -> None:
    found = caa_of(authority, *records)
    assert found.status is Status.FAIL
    assert found.fix.endswith(f'{HOST}. CAA 0 issue "ca.example"')


def test_the_nearest_name_above_counts(authority: tuple[str, int]) -> None:
    found = caa_of(authority, '0 issue "other.example"', at="example.com")
    assert found.status is Status.FAIL
    assert found.saw.startswith("CAA example.com: ")


def test_a_record_of_the_host_goes_before_one_above(authority: tuple[str, int]) -> None:
    ca_file, port = authority
    deployed = deployment_of(SMALL, certificate={"directory": f"https://{CA}:{port}/directory"})
    records: Records = {
        (HOST, "CAA"): ['0 issue "ca.example"'],
        ("example.com", "CAA"): ['0 issue ";"'],
        (CA, "A"): ["127.0.0.1"],
    }
    with serving(records) as address:
        found = zone.caa(HOST, deployed.settings, Resolver([address]), ca_file)
    assert found.status is Status.PASS


def test_one_account_alone_is_a_warning(authority: tuple[str, int]) -> None:
    record = '0 issue "ca.example; accounturi=https://ca.example/acct/1"'
    found = caa_of(authority, record)
    assert (found.status, "certbot show_account" in found.fix) == (Status.WARN, True)


def test_an_authority_that_does_not_say_its_name_leaves_it_unknown(
    authority: tuple[str, int],
) -> None:
    assert caa_of(authority, '0 issue "x.example"', path="mute").status is Status.UNKNOWN
    assert caa_of(authority, '0 issue ";"', path="mute").status is Status.FAIL


def test_servfail_is_no_missing_record(authority: tuple[str, int]) -> None:
    with pytest.raises(LookupFailed, match="SERVFAIL"):
        caa_of(authority, broken=["mail.example.com"])


def test_a_certificate_of_ones_own_asks_no_authority(tmp_path: Path) -> None:
    deployed = deployment_of(SMALL, certificate={"kind": "self-signed"})
    assert list(zone.issuers.about.things(case_of(deployed, folder=tmp_path))) == []
