"""`ping8 doctor` against the running sandbox: all green, then one fault at a time."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import ssh
from ops.doctor.finding import Finding, Status, check_texts
from sandbox import dns
from sandbox.run import Sandbox
from tests.sandbox.e2e import doctor_dns_faults, doctor_host_faults
from tests.sandbox.e2e.doctor_faults import Fault
from tests.sandbox.e2e.doctor_site import Site, of_the_machine, operator, troubles

pytestmark = pytest.mark.sandbox

ONLY_SEVERAL = {"mta.balancer", "mta.health", "mta.targets", "mta.shared-limits"}
"""Checks of several MTA hosts, which this sandbox has not; see tests/ops/doctor/test_nodes.py."""
FAULTS = [*doctor_dns_faults.faults.all, *doctor_host_faults.faults.all]


@pytest.fixture(scope="module")
def site(sandbox_up: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with operator(sandbox_up, tmp_path_factory.mktemp("doctor")) as standing:
        yield standing


@pytest.fixture(scope="module")
def machine(site: Site) -> frozenset[tuple[str, str]]:
    return of_the_machine(site)


def worst(findings: list[Finding], machine: frozenset[tuple[str, str]]) -> list[str]:
    return [
        f"{f.status} {f.check} {f.subject}: {f.saw}"
        for f in troubles(findings)
        if f.key not in machine
    ]


def test_a_healthy_sandbox_is_all_green(site: Site, machine: frozenset[tuple[str, str]]) -> None:
    findings = site.look()
    assert worst(findings, machine) == []
    assert {finding.check for finding in findings} == set(check_texts()) - ONLY_SEVERAL


@pytest.mark.usefixtures("receiver_behaves")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_turns_red_its_check_and_what_depends_on_it(
    site: Site, machine: frozenset[tuple[str, str]], fault: Fault
) -> None:
    with fault.planted(site) as broken:
        findings = broken.look()
    expected = dict(fault.red)
    red = {f.key: f.status for f in troubles(findings) if f.key not in machine - expected.keys()}
    assert red == expected, worst(findings, machine)
    found = next(finding for finding in findings if finding.key == fault.first)
    assert fault.fix in found.fix
    assert found.saw
    assert found.expected or found.status is Status.UNKNOWN


def test_every_check_has_a_fault_that_turns_it_red() -> None:
    # A trial, which the sandbox is, may have one proxy host; see tests/ops/doctor.
    passes_in_trials = {"egress.survives-proxy"}
    red = {check for fault in FAULTS for check, _ in fault.red}
    assert red == set(check_texts()) - passes_in_trials - ONLY_SEVERAL


def test_the_site_is_as_it_was_after_all_faults(
    site: Site, machine: frozenset[tuple[str, str]]
) -> None:
    assert worst(site.look(), machine) == []


def test_the_command_itself_says_so_in_its_status(
    site: Site, machine: frozenset[tuple[str, str]], tmp_path: Path
) -> None:
    saved = tmp_path / "outputs.json"
    outputs = {k: v for k, v in site.sandbox.outputs.items() if not k.endswith("token")}
    saved.write_text(json.dumps(outputs))
    page = tmp_path / "page.html"
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("ping8")), "doctor", "--stack", "sandbox"),
            *("--resolver", dns.SERVER, "--exchanger", "accept.example", "--test-event"),
            *("--ca-file", str(site.options.ca_file), "--html", str(page), "--json"),
        ],
        env={**os.environ, "PING8_OUTPUTS": str(saved), ssh.CONFIG: os.environ[ssh.CONFIG]},
        cwd=site.options.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    red = {(f["check"], f["subject"]) for f in report["findings"] if f["status"] != Status.PASS}
    assert red <= machine, done.stdout + done.stderr
    assert done.returncode == report["exit_status"]
    assert (done.returncode == 0) == (not red)
    assert ("<article" in page.read_text()) == bool(red)
