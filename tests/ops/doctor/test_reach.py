"""What this machine's own network keeps from being checked is one line with its fix."""

from collections.abc import Collection

import pytest

from ops import ssh
from ops.doctor import https, plan
from ops.doctor.bulk import bulk_senders
from ops.doctor.checks import egress
from ops.doctor.examination import examine
from ops.doctor.finding import Finding, Status
from ops.doctor.reach import FIXES, NO_DNS, NO_SSH, NO_TCP
from ops.doctor.resolver import Resolver
from ops.doctor.roots import roots
from tests.examples import SMALL
from tests.ops.doctor.case import case_of
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.dns_server import closed_port, serving
from tests.ops.doctor.test_command import zone_of

DEPLOYED = deployment_of(SMALL)
MTA = DEPLOYED.mta.address
AWS = "192.0.2.77"
ROOT = {(".", "NS"): ["a.root-servers.net."], ("ec2.eu-central-1.amazonaws.com", "A"): [AWS]}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, int]]:
    """Places that answer; all others are silent."""
    open_: set[tuple[str, int]] = set()

    def port(address: str, number: int) -> https.Port:
        return https.Port.OPEN if (address, number) in open_ else https.Port.SILENT

    def silent(_context: object, endpoint: https.Endpoint) -> None:
        raise https.Unreachable(f"{endpoint}: timed out")

    monkeypatch.delenv(ssh.CONFIG, raising=False)
    monkeypatch.setattr(https, "port", port)
    monkeypatch.setattr(https, "_session", silent)
    return open_


def look(resolver: Resolver | str, only: Collection[str] = ()) -> list[Finding]:
    """An examination of hosts that nobody can log in to."""
    case = case_of(DEPLOYED, resolver, only=tuple(only))
    return examine(plan.tasks(case), seconds=60, progress=lambda *_: None)


def troubles(findings: list[Finding]) -> dict[str, int]:
    shown = roots(findings)
    explained = {finding.key for members in shown.values() for finding in members}
    assert {f.key for f in findings if f.status in (Status.FAIL, Status.UNKNOWN)} <= explained
    return {cause: len(members) for cause, members in shown.items()}


def test_a_network_that_blocks_everything_is_one_line_and_no_verdict_about_hosts(
    network: set[tuple[str, int]],
) -> None:
    with serving({**ROOT, **zone_of(DEPLOYED)}) as server:
        found = look(server, ("hosts", "mta", "egress"))
    assert list(troubles(found)) == [NO_TCP]
    assert not [finding for finding in found if finding.status is Status.FAIL]
    assert {f.fix for f in found if f.status is Status.UNKNOWN} == {FIXES[NO_TCP]}


def test_a_network_that_allows_only_https_is_one_line(network: set[tuple[str, int]]) -> None:
    network.add((AWS, 443))
    with serving({**ROOT, **zone_of(DEPLOYED)}) as server:
        found = look(server, ("hosts",))
    assert list(troubles(found)) == [NO_SSH]
    assert {finding.status for finding in found} == {Status.UNKNOWN}


def test_a_host_that_is_down_is_its_own_fault(network: set[tuple[str, int]]) -> None:
    network.add((DEPLOYED.hosts["proxy-1"].address, 22))
    with serving({**ROOT, **zone_of(DEPLOYED)}) as server:
        found = look(server, ("host.login",))
    assert {finding.status for finding in found} == {Status.FAIL}


def test_behind_a_jump_host_closed_ports_are_not_the_cause(
    network: set[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ssh.CONFIG, "/etc/ssh/jump")
    network.add((MTA, 443))
    with serving(ROOT) as server:
        found = look(server, ("host.login",))
    assert {finding.status for finding in found} == {Status.FAIL}


def test_no_dns_at_all_is_one_line() -> None:
    case = case_of(DEPLOYED, Resolver([f"127.0.0.1:{closed_port()}"], seconds=0.2))
    found = [f for f in look(case.resolver, ("domains",)) if f.check != "domain.dkim-key"]
    lines = bulk_senders(found, plan.senders(case))
    assert {finding.cause for finding in lines} == {NO_DNS}
    assert list(troubles([*found, *lines])) == [NO_DNS]


def test_a_zone_that_fails_is_named_while_dns_works() -> None:
    with serving({**ROOT, **zone_of(DEPLOYED)}, broken=["example.com"]) as server:
        found = look(server, ("egress.address", "mta.address", "domain.bounce"))
    assert list(troubles(found)) == [
        "DNS of example.com: every DNS server failed (SERVFAIL or refused)"
    ]
    assert {finding.status for finding in found} == {Status.UNKNOWN}


def test_port_25_closed_only_here_is_not_a_finding(network: set[tuple[str, int]]) -> None:
    """Most offices let no port 25 out."""
    network.update({(host.address, 22) for host in DEPLOYED.hosts.values()})
    dial = {"dial": {"exchanger": MTA, "connected": True}}
    with serving({**ROOT, **zone_of(DEPLOYED)}) as server:
        case = case_of(DEPLOYED, server, dial, only=("mta.port-25", "egress.proxy-closed"))
        found = examine(plan.tasks(case), seconds=60, progress=lambda *_: None)
    assert {finding.status for finding in found} == {Status.PASS}
    assert {finding.check for finding in found} == {"mta.port-25", egress.proxy_closed.id}
