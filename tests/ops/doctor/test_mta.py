"""The doctor's look at the MTA host from outside, against a real TLS server."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import https
from ops.doctor.checks import mta
from ops.doctor.examination import Task, outcome
from ops.doctor.finding import Status
from ops.doctor.https import Unreachable
from tests.examples import SMALL
from tests.ops.doctor import dns_server
from tests.ops.doctor.case import case_of
from tests.ops.doctor.deployment import MTA_ADDRESS, deployment_of
from tests.ops.doctor.dns_server import closed_port
from tests.ops.doctor.tls_server import HOST, Authority, door, serving

INJECT = "/api/inject/v1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


def certificate_of(
    chain: Path, ca_file: str | None, /, **certificate: Any
) -> tuple[Status, str, str, str]:
    deployed = deployment_of(SMALL, certificate=certificate)
    with serving(chain) as endpoint:
        (found,) = mta.certificate(endpoint, case_of(deployed, ca_file=ca_file))
    return found.status, found.saw, found.expected, found.fix


def test_a_certificate_of_a_trusted_authority_passes(authority: Authority) -> None:
    status, saw, *_ = certificate_of(authority.issue(), authority.ca_file)
    assert status is Status.PASS
    assert saw == f"{HOST}, 90 days left, by CN=Authority of a test"


def test_an_expired_certificate_fails_with_the_renewal_as_fix(authority: Authority) -> None:
    status, saw, _, fix = certificate_of(authority.issue(days=-3), authority.ca_file)
    assert status is Status.FAIL
    assert "certificate has expired" in saw
    assert fix.startswith(f"ssh ping8@{MTA_ADDRESS} 'sudo systemctl start ping8-certificate")


def test_a_certificate_that_ends_soon_warns(authority: Authority) -> None:
    status, saw, expected, _ = certificate_of(authority.issue(days=13), authority.ca_file)
    assert status is Status.WARN
    assert "13 days left" in saw
    assert "14 days or more" in expected


def test_a_certificate_of_another_name_fails(authority: Authority) -> None:
    chain = authority.issue(host="other.example.com")
    status, saw, *_ = certificate_of(chain, authority.ca_file)
    assert status is Status.FAIL
    assert "other.example.com" in saw
    assert "mismatch" in saw


def test_a_certificate_of_an_unknown_authority_fails(authority: Authority) -> None:
    status, saw, *_ = certificate_of(authority.issue(), None)
    assert status is Status.FAIL
    assert "unable to get local issuer certificate" in saw


def test_a_self_signed_certificate_fails_unless_the_stack_requests_it(authority: Authority) -> None:
    chain = authority.issue(self_signed=True)
    assert certificate_of(chain, None)[0] is Status.FAIL
    assert certificate_of(chain, None, kind="self-signed")[0] is Status.PASS


@pytest.mark.parametrize(("host", "days"), [("other.example.com", 90), (HOST, -3)])
def test_also_a_self_signed_certificate_must_name_the_host_and_last(
    authority: Authority, host: str, days: int
) -> None:
    chain = authority.issue(host=host, days=days, self_signed=True)
    assert certificate_of(chain, None, kind="self-signed")[0] is Status.FAIL


def test_a_given_certificate_is_fixed_in_the_stack(authority: Authority) -> None:
    chain = "-----BEGIN CERTIFICATE-----\n"
    *_, fix = certificate_of(authority.issue(days=-3), None, kind="given", chain=chain)
    assert "pulumi config set --secret certificateKey -s small" in fix


def test_a_host_that_does_not_answer_is_reported_with_its_address(authority: Authority) -> None:
    endpoint = door(address="127.0.0.1", port=closed_port())
    for ask in (
        lambda: https.certificate(endpoint),
        lambda: https.distrust(endpoint),
        lambda: https.request("GET", endpoint, "/"),
    ):
        with pytest.raises(Unreachable, match=f"127.0.0.1:{endpoint.port}"):
            ask()


# Paths ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"), [(401, Status.PASS), (200, Status.FAIL), (429, Status.UNKNOWN)]
)
def test_injection_without_the_token_must_be_refused(
    authority: Authority, answer: int, status: Status
) -> None:
    with serving(authority.issue(), {INJECT: answer}) as endpoint:
        (found,) = mta.injection(endpoint, case_of(deployment_of(SMALL)))
    assert found.status is status
    assert f"no token: {answer}" in found.saw


def test_refused_admin_and_metrics_paths_pass(authority: Authority) -> None:
    with serving(authority.issue()) as endpoint:
        (found,) = mta.refused_paths(endpoint, case_of(deployment_of(SMALL)))
    assert found.status is Status.PASS


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/metrics", 200), ("/api/admin/bounce/v1", 405), ("/metrics.json", 403)],
)
def test_any_other_answer_than_404_fails_and_names_the_path(
    authority: Authority, path: str, answer: int
) -> None:
    with serving(authority.issue(), {path: answer}) as endpoint:
        (found,) = mta.refused_paths(endpoint, case_of(deployment_of(SMALL)))
    assert (found.status, found.saw) == (Status.FAIL, f"{path}: {answer}")


# Ports ------------------------------------------------------------------------


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def proxy_says(connected: bool) -> dict[str, Any]:
    return {"dial": {"exchanger": "127.0.0.1", "connected": connected}}


def outside(
    monkeypatch: pytest.MonkeyPatch,
    *,
    smtp: int,
    own: int,
    proxy: dict[str, Any] | None = None,
    https_open: bool = True,
    **changes: Any,
) -> tuple[Status, Status]:
    """Status of mta.listener and mta.port-25; no proxy answers unless one says so."""
    monkeypatch.setattr(mta, "LISTENER", own)
    monkeypatch.setattr(mta, "SMTP", smtp)
    case = case_of(deployment_of(SMALL, **changes), answers=proxy)
    with listening() as port:
        endpoint = door(address="127.0.0.1", port=port if https_open else own)
        tasks = [
            Task(checks=(check.id,), subject=HOST, run=partial(check, endpoint, case))
            for check in (mta.listener, mta.port_25)
        ]
        listener, port_25 = (outcome(task)[0].status for task in tasks)
    return listener, port_25


def test_a_closed_listener_and_open_port_25_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as smtp:
        found = outside(monkeypatch, smtp=smtp, own=closed_port())
    assert found == (Status.PASS, Status.PASS)


def test_an_open_listener_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as smtp, listening() as own:
        assert outside(monkeypatch, smtp=smtp, own=own) == (Status.FAIL, Status.PASS)


def test_a_closed_listener_of_a_dead_host_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as smtp:
        found = outside(monkeypatch, smtp=smtp, own=closed_port(), https_open=False)
    assert found == (Status.UNKNOWN, Status.PASS)


@pytest.mark.parametrize(
    ("proxy", "status"),
    [
        (proxy_says(True), Status.PASS),
        (proxy_says(False), Status.FAIL),
        (None, Status.UNKNOWN),
    ],
)
def test_a_port_25_that_our_own_network_may_block_is_a_proxys_to_judge(
    monkeypatch: pytest.MonkeyPatch, proxy: dict[str, Any] | None, status: Status
) -> None:
    found = outside(monkeypatch, smtp=closed_port(), own=closed_port(), proxy=proxy)
    assert found == (Status.PASS, status)


def test_port_25_must_be_closed_where_no_domain_takes_bounces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening() as smtp:
        found = outside(monkeypatch, smtp=smtp, own=closed_port(), domains=[])
    assert found == (Status.PASS, Status.FAIL)


@pytest.mark.parametrize(
    ("addresses", "status"),
    [([MTA_ADDRESS], Status.PASS), ([MTA_ADDRESS, "192.0.2.9"], Status.FAIL), ([], Status.FAIL)],
)
def test_the_mtas_name_resolves_only_to_its_address(addresses: list[str], status: Status) -> None:
    records = {(HOST, "A"): addresses} if addresses else {}
    with dns_server.serving(records) as server:
        case = case_of(deployment_of(SMALL), server)
        (found,) = mta.address(door(address=MTA_ADDRESS), case)
    assert found.status is status
