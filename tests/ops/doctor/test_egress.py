"""The doctor's look at egress sources and proxies."""

from typing import Any

import pytest

from ops.doctor import https
from ops.doctor.checks import egress
from ops.doctor.finding import Finding, Status
from tests.examples import SMALL
from tests.ops.doctor.case import case_of
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.dns_server import serving

DEPLOYED = deployment_of(SMALL)
SOURCE = DEPLOYED.egress["proxy-default"]
PROXY = DEPLOYED.settings.proxies[0]
POINTER = "5.113.0.203.in-addr.arpa"
GOOD = {
    ("out1.mail.example.com", "A"): ["203.0.113.5"],
    ("out1.mail.example.com", "TXT"): ['"v=spf1 ip4:203.0.113.5 -all"'],
    (POINTER, "PTR"): ["out1.mail.example.com."],
}
GREETED: dict[str, Any] = {
    "exchanger": "gmail-smtp-in.l.google.com",
    "connected": True,
    "error": "",
    "greeting": "220 mx.google.com ESMTP a640c23a62f3a-b77 - gsmtp",
    "ehlo_accepted": True,
    "ehlo_answer": "250 mx.google.com at your service, [203.0.113.5]",
    "seen_address": "203.0.113.5",
}


def names_of(**changes: list[str]) -> dict[str, Status]:
    kinds = {"a": "A", "txt": "TXT", "ptr": "PTR"}
    change = {
        (POINTER if kind == "ptr" else "out1.mail.example.com", kinds[kind]): values
        for kind, values in changes.items()
    }
    with serving({k: v for k, v in {**GOOD, **change}.items() if v}) as server:
        case = case_of(DEPLOYED, server)
        checks = (egress.address, egress.reverse_dns, egress.ehlo_spf)
        return {f.check: f.status for check in checks for f in check(SOURCE, case)}


def test_forward_confirmed_reverse_dns_passes() -> None:
    assert set(names_of().values()) == {Status.PASS}


def test_names_of_another_case_are_the_same() -> None:
    assert set(names_of(ptr=["OUT1.mail.example.com."]).values()) == {Status.PASS}


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"a": ["203.0.113.99"]}, "egress.address"),
        ({"a": ["203.0.113.5", "203.0.113.6"]}, "egress.address"),
        ({"a": []}, "egress.address"),
        ({"ptr": ["ec2-203-0-113-5.eu-central-1.compute.amazonaws.com."]}, "egress.reverse-dns"),
        ({"ptr": ["out1.mail.example.com.", "other.example.com."]}, "egress.reverse-dns"),
        ({"ptr": []}, "egress.reverse-dns"),
        ({"txt": ['"v=spf1 ip4:198.51.100.1 -all"']}, "egress.spf"),
        ({"txt": []}, "egress.spf"),
    ],
)
def test_what_disagrees_fails_alone(changes: dict[str, list[str]], check: str) -> None:
    found = names_of(**changes)
    assert {name for name, status in found.items() if status is not Status.PASS} == {check}
    assert found[check] is Status.FAIL


def dial(**changes: Any) -> dict[str, Finding]:
    with serving({}) as server:
        case = case_of(DEPLOYED, server, {"dial": GREETED | changes})
        checks = (egress.port_25, egress.seen_as)
        return {f.check: f for check in checks for f in check(SOURCE, case)}


def test_an_exchanger_that_sees_the_sources_address_passes() -> None:
    found = dial()
    assert {finding.status for finding in found.values()} == {Status.PASS}
    assert "sees 203.0.113.5, EHLO out1.mail.example.com" in found["egress.seen-as"].saw


def test_a_blocked_port_fails_and_leaves_the_address_unknown() -> None:
    found = dial(connected=False, error="timed out")
    assert found["egress.port-25"].status is Status.FAIL
    assert "--before-launch" in found["egress.port-25"].fix
    assert found["egress.seen-as"].status is Status.UNKNOWN


def test_an_exchanger_without_an_address_says_nothing_about_port_25() -> None:
    found = dial(connected=False, resolved=False, error="[Errno -2] Name or service not known")
    assert {finding.status for finding in found.values()} == {Status.UNKNOWN}
    assert "finds no address for gmail-smtp-in.l.google.com" in found["egress.port-25"].saw
    assert "doctor.exchanger" in found["egress.port-25"].fix


def test_another_address_fails() -> None:
    found = dial(seen_address="198.51.100.1")
    assert found["egress.port-25"].status is Status.PASS
    assert found["egress.seen-as"].status is Status.FAIL
    assert found["egress.seen-as"].expected == "203.0.113.5"


def test_a_refused_ehlo_name_fails() -> None:
    found = dial(ehlo_accepted=False, ehlo_answer="550 5.7.1 EHLO argument does not match PTR")
    assert found["egress.seen-as"].status is Status.FAIL


def test_an_exchanger_that_does_not_report_leaves_the_address_unknown() -> None:
    found = dial(seen_address="", ehlo_answer="250 mx.example.net")
    assert found["egress.seen-as"].status is Status.UNKNOWN
    assert found["egress.seen-as"].fix.endswith("--exchanger gmail-smtp-in.l.google.com")


@pytest.mark.parametrize(
    ("code", "status"),
    [(None, Status.PASS), ("127.0.0.2", Status.FAIL), ("127.255.255.254", Status.UNKNOWN)],
)
def test_a_block_list_lists_refuses_us_or_does_not_know(code: str | None, status: Status) -> None:
    records = {("5.113.0.203.zen.example.org", "A"): [code]} if code else {}
    with serving(records) as server:
        found = egress.block_lists(
            SOURCE, case_of(DEPLOYED, server, block_lists=("zen.example.org",))
        )
    assert [finding.status for finding in found] == [status]


def proxy_closed(monkeypatch: pytest.MonkeyPatch, *open_: int) -> Status:
    def port(_address: str, number: int) -> https.Port:
        return https.Port.OPEN if number in open_ else https.Port.SILENT

    monkeypatch.setattr(https, "port", port)
    (found,) = egress.proxy_closed(PROXY, case_of(DEPLOYED))
    return found.status


def test_the_socks_port_must_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_closed(monkeypatch, 22) is Status.PASS
    assert proxy_closed(monkeypatch, 22, 5000) is Status.FAIL


def test_a_closed_socks_port_of_a_dead_host_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(https.Unreachable, match="no port answers"):
        proxy_closed(monkeypatch)


def test_the_mta_must_reach_the_proxy() -> None:
    def reached(answer: dict[str, Any]) -> Finding:
        (found,) = egress.proxy_reached(PROXY, case_of(DEPLOYED, answers={"dial": answer}))
        return found

    good = {"proxy": "10.8.0.20:5000", "connected": True, "said": "SOCKS5, asks for a password"}
    assert reached(good).status is Status.PASS
    bad = {"proxy": "10.8.0.20:5000", "connected": False, "error": "refused"}
    found = reached(bad)
    assert found.status is Status.FAIL
    assert "sudo journalctl -u kumoproxy" in found.fix


@pytest.mark.parametrize(
    ("zone", "proxies", "status", "words"),
    [
        ("mail.example.com", 1, Status.WARN, "proxy hosts in two availability zones"),
        ("mail.example.com", 2, Status.PASS, ""),
        ("mail.ping8.test", 1, Status.PASS, ""),
    ],
)
def test_a_brand_that_would_stop_with_one_proxy_is_a_warning(
    zone: str, proxies: int, status: Status, words: str
) -> None:
    hosts = [{"name": f"proxy-{number}", "subnet": number} for number in range(proxies)]
    names = ["proxy-default", "out-2"][:proxies]
    raw = SMALL | {
        "zone": zone,
        "proxies": hosts,
        "sources": [
            {"name": name, "proxy": host["name"], "ehlo": name}
            for name, host in zip(names, hosts, strict=True)
        ],
        "pools": [{"name": "shared-default", "sources": dict.fromkeys(names, 1)}],
    }
    deployed = deployment_of(raw)
    brand = deployed.settings.brands[0]
    (found,) = egress.survives_proxy(brand, case_of(deployed))
    assert (found.status, found.expected or "") == (status, words)
