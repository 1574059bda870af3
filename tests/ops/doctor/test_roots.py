"""The root cause comes first, and what follows from it is one line."""

import io

from rich.console import Console

from ops.doctor.finding import Finding, failed, passed, unknown
from ops.doctor.roots import roots
from ops.doctor.terminal import show

DNS = "could not check: {kind} {name}: no DNS server answered"
SSH = "mta (192.0.2.1): no SSH connection (Connection refused); see that it runs"


def shown(findings: list[Finding]) -> str:
    output = io.StringIO()
    show(findings, Console(file=output, width=100, color_system=None), every=False)
    return output.getvalue()


def no_dns() -> list[Finding]:
    return [
        unknown(DNS.format(kind=kind, name=f"x.d{n}.example"), fix="dig").of(check, f"d{n}.example")
        for n in range(11)
        for check, kind in (
            ("domain.spf", "TXT"),
            ("domain.dmarc", "TXT"),
            ("domain.bounce", "MX"),
        )
    ]


def no_ssh() -> list[Finding]:
    return [
        failed(SSH, expected="a log-in", fix="look at the instance").of("host.login", "mta"),
        *(
            unknown(f"could not check: {SSH}").of(f"host.{what}", "mta")
            for what in ("units", "disk")
        ),
        unknown(f"could not check: {SSH}").of("mta.webhook", "mta.example"),
    ]


def test_dns_that_does_not_answer_is_one_cause_of_many_checks() -> None:
    ((cause, members),) = roots(no_dns()).items()
    assert (cause, len(members)) == ("DNS: no DNS server answered", 33)
    lines = [line.rstrip() for line in shown(no_dns()).splitlines() if line.strip()]
    assert len(lines) == 4
    assert lines[0].split(maxsplit=1) == ["unknown", "DNS: no DNS server answered"]
    assert lines[1].strip() == "33 checks could not be made because of it"
    assert lines[3] == "0 fail, 33 unknown, 0 warn, 0 pass"


def test_servers_that_fail_are_another_cause_than_servers_that_are_silent() -> None:
    servfail = "could not check: A x: every DNS server failed (SERVFAIL or refused)"
    more = (unknown(servfail).of("domain.spf", f"{n}.example") for n in range(3))
    findings = [*no_dns(), *more]
    assert [len(members) for members in roots(findings).values()] == [33, 3]


def test_a_host_without_login_takes_along_what_only_it_could_tell() -> None:
    text = shown([*no_ssh(), passed("all are active").of("host.units", "proxy-1")])
    assert text.count("no SSH connection") == 1
    assert "3 checks could not be made because of it" in text
    assert "look at the instance" in text
    assert text.index("no SSH connection") < text.index("1 fail, 3 unknown")


def test_what_has_a_cause_of_its_own_is_shown_as_before() -> None:
    single = unknown("chronyc says nothing").of("host.clock", "mta")
    assert roots([single]) == {}
    assert "chronyc says nothing" in shown([single, *no_dns()])
