"""What the doctor checks only with several MTA hosts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import https
from ops.doctor.answers import Answers
from ops.doctor.case import Case
from ops.doctor.checks import mta, nodes
from ops.doctor.finding import Finding, Status
from ops.doctor.https import Port
from ops.doctor.subjects import MTA_NAME
from ops.stack import HostAccess
from policy.errors import UserError
from tests.examples import SMALL
from tests.ops.doctor import dns_server
from tests.ops.doctor.case import case_of, found
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.test_hosts import answer
from tests.ops.doctor.tls_server import Authority, serving

GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/mail/0123456789abcdef"
ONE = deployment_of(SMALL)
TWO = replace(
    ONE,
    hosts={
        **ONE.hosts,
        "mta-2": replace(
            ONE.mta, name="mta-2", address="198.51.100.2", private_address="10.8.64.4"
        ),
    },
    limits_address="limits.example.com",
    injection_addresses=("203.0.113.1", "203.0.113.2"),
    target_group=GROUP,
)
NAME = TWO.settings.injection_host
ONLY_SEVERAL = ("mta.balancer", "mta.health", "mta.targets", "mta.shared-limits")
DRAINS = {"since": 1_796_000_000, "by": "ann", "reason": "resize", "refusing": True}


def asking(agent: Callable[[HostAccess, Sequence[str]], Any]) -> Case:
    return replace(case_of(TWO, only=ONLY_SEVERAL), ask=Answers(agent))


def test_one_mta_host_has_none_of_these_checks() -> None:
    for subject in (NAME, "mta-1"):
        assert found(case_of(ONE, answers={}, only=ONLY_SEVERAL), subject) == {}


@pytest.mark.parametrize(
    ("addresses", "closed", "status"),
    [
        (["203.0.113.2", "203.0.113.1"], (), Status.PASS),
        (["203.0.113.1"], (), Status.FAIL),
        (["203.0.113.1", "203.0.113.2", "192.0.2.9"], (), Status.FAIL),
        ([], (), Status.FAIL),
        (["203.0.113.1", "203.0.113.2"], ("203.0.113.2",), Status.FAIL),
    ],
)
def test_the_injection_name_leads_to_each_address_of_the_balancer(
    addresses: list[str], closed: Sequence[str], status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        https, "port", lambda address, _: Port.SILENT if address in closed else Port.OPEN
    )
    records = {(NAME, "A"): addresses} if addresses else {}
    with dns_server.serving(records) as server:
        seen = found(case_of(TWO, server, only=ONLY_SEVERAL), NAME)["mta.balancer"]
    assert seen.status is status
    assert all(address in seen.saw for address in (*addresses, *closed))


@pytest.mark.parametrize(
    ("code", "draining", "status"),
    [(200, None, Status.PASS), (503, None, Status.FAIL), (503, DRAINS, Status.WARN)],
)
def test_each_node_must_be_healthy_unless_it_drains(
    code: int, draining: object, status: Status, tmp_path: Path
) -> None:
    case = asking(lambda _host, _verb: answer(draining=draining))
    with serving(Authority.make(tmp_path).issue(), {"/healthz": code}) as door:
        (seen,) = nodes.health(door, case)
    assert (seen.status, seen.saw.partition(": it")[0]) == (status, f"GET /healthz: {code}")


@pytest.mark.parametrize(
    ("second", "draining", "status"),
    [
        ("healthy", None, Status.PASS),
        ("unhealthy", None, Status.FAIL),
        ("unhealthy", DRAINS, Status.WARN),
        (None, None, Status.FAIL),
    ],
)
def test_each_node_must_be_a_healthy_target_unless_it_drains(
    second: str | None, draining: object, status: Status
) -> None:
    states = {"10.8.0.4": "healthy", **({"10.8.64.4": second} if second else {})}

    def agent(_host: HostAccess, verb: Sequence[str]) -> Any:
        return {"targets": states} if verb[0] == "cloud" else answer(draining=draining)

    (seen,) = nodes.targets(GROUP, asking(agent))
    assert seen.status is status
    assert f"mta-2 is {second or 'not registered'}" in seen.saw
    (refused,) = nodes.targets(GROUP, asking(lambda *_: {"targets": {"error": "AccessDenied"}}))
    assert refused.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("dial", "lost", "status"),
    [
        ({"connected": True, "said": "it answers over TLS"}, None, Status.PASS),
        ({"connected": False, "error": "timed out"}, None, Status.FAIL),
        ({"connected": True, "said": "it answers over TLS"}, 7, Status.FAIL),
    ],
)
def test_each_node_must_reach_the_server_of_the_shared_limits(
    dial: dict[str, Any], lost: int | None, status: Status
) -> None:
    told = answer()
    if lost:
        metric = {"name": "shared_limit_failures", "value": lost, "unit": "Count", "dimensions": {}}
        told["metrics"].append(metric)
    case = asking(lambda _host, verb: dial if verb[0] == "dial" else told)
    for node in TWO.mta_hosts:
        (seen,) = nodes.shared_limits(node, case)
        assert seen.status is status
        assert "limits.example.com: " in seen.saw


def test_a_node_that_cannot_be_asked_hides_nothing_of_the_others() -> None:
    def agent(host: HostAccess, verb: Sequence[str]) -> Any:
        if host.name == "mta-1":
            raise UserError("mta-1: no route")
        return {"connected": True, "said": "yes"} if verb[0] == "dial" else answer()

    case = asking(agent)
    assert found(case, "mta-1")["mta.shared-limits"].status is Status.UNKNOWN
    assert found(case, "mta-2")["mta.shared-limits"].status is Status.PASS


def test_the_way_to_a_proxy_is_judged_by_the_nodes_that_answer() -> None:
    lost = {"proxy": "10.8.0.20:5000", "connected": False, "error": "timed out"}
    reached = lost | {"connected": True, "said": "SOCKS5", "error": ""}
    answers: dict[str, Any] = {"mta-1": None, "mta-2": reached}

    def agent(host: HostAccess, _verb: Sequence[str]) -> Any:
        if answers[host.name] is None:
            raise UserError(f"{host.name}: no route")
        return answers[host.name]

    def look() -> Finding:
        case = replace(case_of(TWO, only=("egress.proxy-reached",)), ask=Answers(agent))
        return found(case, "proxy-1")["egress.proxy-reached"]

    assert (look().status, look().saw) == (Status.PASS, "10.8.0.20:5000 from mta-2: SOCKS5")
    answers["mta-1"] = lost
    assert (look().status, look().saw) == (Status.FAIL, "10.8.0.20:5000 from mta-1: timed out")
    answers |= {"mta-1": None, "mta-2": None}
    assert look().status is Status.UNKNOWN


def test_each_node_is_looked_at_by_its_own_address_and_shows_its_own_certificate(
    tmp_path: Path,
) -> None:
    doors = list(MTA_NAME.things(case_of(TWO)))
    assert [(door.name, door.host, door.address) for door in doors] == [
        ("mta-1.mail.example.com", NAME, "198.51.100.1"),
        ("mta-2.mail.example.com", NAME, "198.51.100.2"),
    ]
    authority = Authority.make(tmp_path)
    with serving(authority.issue()) as shared:
        case = case_of(TWO, ca_file=authority.ca_file)
        (alike,) = mta.certificate(replace(shared, name=doors[1].name), case)
    assert alike.status is Status.WARN
    assert alike.expected == "also the node's own name, mta-2.mail.example.com"
