"""`ping8 doctor` as an operator runs it, on saved outputs, with a DNS server on loopback."""

import base64
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from rich.console import Console
from typer.testing import CliRunner

from ops.doctor import command, launch
from ops.doctor.bulk import RULES
from ops.doctor.finding import Finding, Status, check_texts
from ops.doctor.launch import before_launch
from ops.doctor.registry import CHECKS, check
from ops.doctor.resolver import Resolver
from ops.doctor.subjects import HOSTS
from ops.main import build
from ops.pin import Found
from ops.stack import Deployment, HostAccess
from policy.dns import plan
from policy.errors import UserError
from policy.settings.hosts import Pin
from tests.examples import SMALL, settings_of
from tests.ops.doctor.deployment import MTA_ADDRESS, deployment_of, outputs_of
from tests.ops.doctor.dns_server import closed_port, serving
from tests.ops.doctor.findings import every_check
from tests.ops.doctor.published import quoted

DEPLOYED = deployment_of(
    SMALL, domains=[{"name": n, "zone": "example.com"} for n in ("example.com", "b.example.com")]
)
KEY = rsa.generate_private_key(65537, 2048).public_key()
DER = base64.b64encode(
    KEY.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
Zone = dict[tuple[str, str], list[str]]


def zone_of(deployed: Deployment) -> Zone:
    """Everything that the program would have published."""
    settings = deployed.settings
    zone: Zone = {
        (name, kind): [text]
        for name in ("example.com", settings.zone)
        for kind, text in {
            "SOA": "ns.example.com. host.example.com. 1 2 3 4 5",
            "MX": "10 mta.mail.example.com.",
        }.items()
    }
    zone[settings.injection_host, "A"] = [MTA_ADDRESS]
    zone[settings.full_name("mta-1"), "A"] = [MTA_ADDRESS]
    for record in plan.mail_records(settings):
        zone[record.name, record.type] = _values(record, deployed)
    for source in deployed.egress.values():
        zone[source.ehlo, "A"] = [source.public]
        address = ".".join(reversed(source.public.split(".")))
        zone[f"{address}.in-addr.arpa", "PTR"] = [f"{source.ehlo}."]
    return zone


def _values(record: plan.Record, deployed: Deployment) -> list[str]:
    match record.content:
        case plan.Values(values=values):
            return [quoted(v) if record.type == "TXT" else f"{v}." for v in values]
        case plan.SpfOf(sources=names):
            addresses = " ".join(f"ip4:{deployed.egress[name].public}" for name in names)
            return [f'"v=spf1 {addresses} -all"']
        case plan.KeyOf():
            return [quoted(f"v=DKIM1; k=rsa; p={DER}")]


def agent(host: HostAccess, verb: Sequence[str], *, limit: float) -> Any:
    assert limit == 30
    if verb[0] == "public-keys":
        return {f"{d.name}/{s}": DER for d in DEPLOYED.settings.domains for s in ("s1", "s2")}
    if verb[0] == "dial":
        assert host.role == "proxy"
        return {
            "exchanger": verb[2],
            "connected": True,
            "greeting": "220 hello",
            "ehlo_accepted": True,
            "ehlo_answer": f"250 {verb[2]} at your service, [203.0.113.5]",
            "seen_address": "203.0.113.5",
        }
    raise UserError(f"{host.name}: no SSH connection")


def no_repository(version: str, _ubuntu: object) -> Found:
    raise UserError(f"https://packages.example: it has no kumomta {version}; it has none at all")


Run = Callable[..., Any]


@contextmanager
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: Zone) -> Iterator[Run]:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs_of(DEPLOYED)))
    monkeypatch.setenv("PING8_OUTPUTS", str(path))
    monkeypatch.setattr(command, "ssh_json", agent)
    monkeypatch.setattr(launch, "look", no_repository)
    with serving(zone) as server:
        yield lambda *arguments: invoke(
            "--resolver", server, "--timeout", "30", "--only", "domains", *arguments
        )


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(build(), ["doctor", "--stack", "small", *arguments])


@pytest.fixture
def healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    with outputs(tmp_path, monkeypatch, zone_of(DEPLOYED)) as run:
        yield run


def findings_of(result: Any) -> list[dict[str, Any]]:
    report = json.loads(result.stdout)
    text = resources.files("ops.doctor").joinpath("report.schema.json").read_text("utf-8")
    jsonschema.validate(report, json.loads(text))
    assert report["exit_status"] == result.exit_code
    found: list[dict[str, Any]] = report["findings"]
    return found


@pytest.mark.parametrize(
    ("accepted", "code", "words"),
    [
        ([], 1, "name this check in doctor.accepted"),
        (["egress.survives-proxy"], 0, "(accepted: doctor.accepted)"),
        (["egress.survives"], 3, "doctor.accepted egress.survives: not known; did you mean"),
    ],
)
def test_a_warning_that_operators_accept_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepted: list[str], code: int, words: str
) -> None:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs_of(deployment_of(SMALL, doctor={"accepted": accepted}))))
    monkeypatch.setenv("PING8_OUTPUTS", str(path))
    result = invoke("--all", "--only", "egress.survives-proxy")
    assert (result.exit_code, words in " ".join(result.output.split())) == (code, True), (
        result.output
    )


def test_domains_as_the_program_publishes_them_are_all_well(healthy: Run) -> None:
    result = healthy("--json")
    found = findings_of(result)
    assert [f for f in found if f["status"] != "pass"] == []
    assert result.exit_code == 0
    groups = {text.group for text in check_texts().values()}
    assert {f["group"] for f in found} == {"domains"} < groups


def test_the_lines_about_bulk_senders_come_with_their_sources(healthy: Run) -> None:
    result = healthy("--only", "bulk-senders", "--only", "egress.seen-as", "--json")
    found = findings_of(result)
    assert {f["status"] for f in found} == {"pass"}
    assert {"bulk.gmail", "bulk.yahoo", "bulk.microsoft"} <= {f["check"] for f in found}
    assert "egress.reverse-dns" not in {f["check"] for f in found}


def test_only_one_domain_is_checked_on_request(healthy: Run) -> None:
    found = findings_of(healthy("--domain", "b.example.com", "--json"))
    assert {f["subject"].split()[0] for f in found} == {"b.example.com"}


def test_a_fault_is_status_2_and_names_check_and_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = zone_of(DEPLOYED) | {("_dmarc.b.example.com", "TXT"): ['"v=DMARC1; p=non"']}
    with outputs(tmp_path, monkeypatch, zone) as run:
        result = run("--only", "domain.dmarc")
    assert result.exit_code == 2
    assert "domain.dmarc" in result.stdout
    assert "pulumi up --refresh -s small" in result.stdout


def test_what_no_host_can_be_asked_about_is_status_3(healthy: Run) -> None:
    result = healthy("--only", "mta.webhook", "--json")
    assert result.exit_code == 3
    (unknown,) = [f for f in findings_of(result) if f["status"] == "unknown"]
    assert unknown["saw"] == "could not check: mta-1: no SSH connection"


def test_the_page_is_written_beside_the_report(healthy: Run, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert healthy("--html", str(path)).exit_code == 0
    assert "Mail of small" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "domain.sfp"), "--only domain.sfp: not known; did you mean domain.spf?"),
        (("--domain", "c.example.com"), "--domain c.example.com: not known; did you mean"),
        (("--resolver", "dns.example.com"), "--resolver dns.example.com: write an IPv4 address"),
        (("--ca-file", "/none.pem"), "--ca-file /none.pem: no such file"),
        (("--html", "/none/page.html"), "--html /none/page.html: no such folder"),
    ],
)
def test_a_wrong_option_is_one_line_and_no_verdict_about_mail(
    healthy: Run, arguments: tuple[str, ...], said: str
) -> None:
    result = healthy(*arguments)
    assert result.exit_code == command.COULD_NOT_CHECK
    assert result.stderr.startswith(f"ping8: {said}")


@pytest.mark.parametrize("content", ["", "[]", '{"hosts": {}}', '{"settings": {"zone": "x"}}'])
def test_unreadable_outputs_are_one_line_and_no_verdict_about_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = tmp_path / "outputs.json"
    path.write_text(content)
    monkeypatch.setenv("PING8_OUTPUTS", str(path))
    result = invoke()
    assert result.exit_code == command.COULD_NOT_CHECK
    assert result.stderr.startswith("ping8: ")
    assert len(result.stderr.splitlines()) == 1


# Watching ---------------------------------------------------------------------


def test_watching_prints_differences_until_interrupted() -> None:
    well, ill = every_check(), every_check(Status.FAIL)
    looks = iter([well, ill, well])
    pauses = 0

    def pause(_seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses > 3:
            raise KeyboardInterrupt

    output = io.StringIO()
    console = Console(file=output, width=100, color_system=None)
    last = command._watch(well, lambda: next(looks), console, pause=pause)
    assert last == well
    # Nothing at first, then all that fell ill, then all that got well again.
    counts = [line for line in output.getvalue().splitlines() if line.startswith(("0 f", "4", "5"))]
    total = len(well)
    assert counts == [
        f"{total} fail, 0 unknown, 0 warn, 0 pass",
        f"0 fail, 0 unknown, 0 warn, {total} pass",
    ]


# Before launch ----------------------------------------------------------------


def test_the_checklist_holds_the_requests_with_addresses_filled_in(healthy: Run) -> None:
    result = healthy("--before-launch")
    assert result.exit_code == 0
    text = result.stdout
    assert "203.0.113.5              out1.mail.example.com" in text
    assert "This stack needs 2 in eu-central-1" in text
    assert "--quota-code L-0263D0A3 --desired-value 5" in text
    assert "ping8 doctor --stack small --test-event" in text
    assert "$" not in text


def push_needs(zone: Zone, monkeypatch: pytest.MonkeyPatch, *missing: str) -> dict[str, Finding]:
    pin = Pin(version="2026.09.29-b90d8bc1", source=("deb x",), fingerprint="A" * 40, digests={})
    monkeypatch.setattr(launch, "look", lambda *_: Found(pin=pin, missing=missing))
    with serving(zone) as server:
        resolver = Resolver([server], authority_port=closed_port(), seconds=0.5)
        found = launch.needs_of_a_push(settings_of(SMALL), resolver, ca_file=None, seconds=30)
    return {finding.check: finding for finding in found}


def test_what_a_push_needs_is_ticked_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = push_needs(zone_of(DEPLOYED), monkeypatch)
    assert {finding.status for finding in found.values()} == {Status.PASS}
    text = before_launch("small", settings_of(SMALL), None, list(found.values()))
    for name in ("Delegation", "CAA", "KumoMTA 2026.09.29-b90d8bc1"):
        assert f"- [x] **{name}" in text


def test_what_would_make_a_push_fail_is_reported_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    zone = {k: v for k, v in zone_of(DEPLOYED).items() if k != ("mail.example.com", "SOA")}
    zone["example.com", "CAA"] = ['0 issue ";"']
    found = push_needs(zone, monkeypatch, "arm64")
    assert {finding.status for finding in found.values()} == {Status.FAIL}
    text = before_launch("small", settings_of(SMALL), None, list(found.values()))
    assert (
        "example.com has no NS records for mail.example.com; the owner of example.com publishes"
        in text
    )
    assert 'mta.mail.example.com. CAA 0 issue "NAME", with the name that https://acme-v02' in text
    assert "2026.09.29-b90d8bc1 is missing for arm64" in text


def test_before_the_first_deployment_the_checklist_says_what_is_not_known_yet() -> None:
    settings = settings_of(
        SMALL, domains=[{"name": n} for n in ("a.example.org", "a.mail.example.com")]
    )
    text = before_launch("small", settings, None)
    assert "(known after pulumi up)  out1.mail.example.com" in text
    assert "      a.example.org\n" in text
    assert "      a.mail.example.com\n" not in text


def test_the_checklist_of_many_domains_and_several_nodes_names_some_and_no_balancer() -> None:
    domains = [{"name": f"d{i}.example.org"} for i in range(1_000)]
    several = {"mta": {"nodes": 3}, "elasticIpQuota": 9}
    text = before_launch("small", settings_of(SMALL, domains=domains, **several), None)
    assert text.count(".example.org") == 20
    assert "      and 980 more\n" in text
    assert "need 6 Elastic IPs" in text
    # Bounces go to each MTA host by its own name; the balancer has no port 25.
    assert "complaints on mail servers of our own in mail.example.com" in text


def test_too_small_a_quota_is_a_box_to_tick() -> None:
    text = before_launch("small", settings_of(SMALL, elasticIpQuota=1), None)
    assert "- [ ] **Elastic IPs.** This stack needs 2" in text
    assert "--desired-value 2" in text


def test_the_request_for_vcpus_is_filled_in() -> None:
    text = before_launch("small", settings_of(SMALL), None)
    assert "need 6 in eu-central-1" in text  # c7g.xlarge and t4g.small
    assert "--quota-code L-1216C47A --desired-value 6" in text


def test_the_repositorys_own_stack_files_have_a_checklist(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_deployment(_stack: str) -> Deployment:
        raise UserError("no outputs")

    monkeypatch.setattr(command, "read_deployment", no_deployment)
    monkeypatch.setattr(launch, "look", no_repository)
    with serving({}) as server:
        options = ["--stack", "prod", "--before-launch", "--resolver", server]
        result = CliRunner().invoke(build(), ["doctor", *options])
    assert result.exit_code == 0
    assert "# Before prod sends its first message" in result.stdout


def test_every_text_belongs_to_one_check() -> None:
    ids = [*(check.id for check in CHECKS), *RULES]
    assert sorted(ids) == sorted(check_texts())
    assert all(text.title and text.why.endswith(".") for text in check_texts().values())


def test_a_check_without_a_text_is_rejected_when_it_registers() -> None:
    with pytest.raises(LookupError, match=r"checks.yaml has no text for host\.moon"):
        check("host.moon", HOSTS)
